"""No held-out image is judged by a model that has seen it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from entropix.scoring import Calibration, HeldOut, LatentModel, Outputs, calibrate
from entropix.scoring._residual import Surprise

N = 20


@dataclass
class Memory:
    """One nat for images it was fitted on, two for others, anywhere in the image."""

    known: Tensor

    fits: ClassVar[list[set[int]]] = []  # what was fitted on, fit by fit

    @classmethod
    def fit(cls, of: Outputs) -> "Memory":
        known = of.x[:, 0, 0, 0]
        cls.fits.append({int(number) for number in known})
        return cls(known)

    def surprise(self, of: Outputs) -> Surprise:
        total = 2.0 - torch.isin(of.x[:, 0, 0, 0], self.known).float()
        return Surprise(total, total[:, None, None].expand(-1, 2, 2))


def numbered() -> Tensor:
    """Images of which each has a number of its own."""
    return torch.arange(float(N))[:, None, None, None].expand(-1, 1, 2, 2).contiguous()


class Told(LatentModel):
    """Measures what the codes are, and takes up to the largest of held-out ones as usual."""

    def measure(self, of: Outputs) -> Tensor:
        return of.z[:, 0]


def usual() -> Told:
    empty = torch.zeros(1)
    return Told(empty, empty, empty, empty, empty)


def held_out(
    latent: Tensor, groups: list[str], volumes: list[str] | None = None, copy: np.ndarray | None = None
) -> HeldOut:
    """Images of these surprising codes; by default of no volumes, none a copy."""
    x, none = numbered(), torch.zeros(N, 0)
    outputs = Outputs(x, torch.zeros_like(x), latent[:, None], x, *[none] * 5)
    return HeldOut(outputs, groups, volumes or [""] * N, np.ones(N, bool) if copy is None else ~copy)


def calibrated(latent: Tensor, groups: list[str]) -> Calibration:
    known = held_out(latent, groups)
    return calibrate(known, Memory.fit(known.outputs), usual())


def scores(calibration: Calibration, name: str = "surprisal") -> list[float]:
    """All of them, the largest first: thresholds of rates 1 / (n + 1), 2 / (n + 1), ..."""
    n = len(calibration)
    return [calibration.threshold(rank / (n + 1), name) for rank in range(1, n + 1)]


@pytest.mark.parametrize("groups", [[str(i) for i in range(N)], [str(i // 2) for i in range(N)], ["one"] * N])
def test_residuals_and_peaks_are_judged_by_models_of_the_others(groups: list[str]) -> None:
    calibration = calibrated(torch.zeros(N), groups)
    assert scores(calibration) == [2] * N
    assert scores(calibration, "peak") == [2] * N


def test_images_of_one_patient_are_judged_by_models_of_others() -> None:
    """Were a patient divided, the model of a fold would know another image of the one that it scores."""
    Memory.fits.clear()
    calibrated(torch.zeros(N), [str(i % 7) for i in range(N)])
    of_all, *of_folds = Memory.fits
    assert len(of_all) == N
    assert len(of_folds) == 5
    for fitted_on in of_folds:
        patients = {number % 7 for number in fitted_on}
        assert fitted_on == {number for number in range(N) if number % 7 in patients}


def test_a_code_is_unusual_beside_those_of_the_other_images() -> None:
    """The level of its own would make no held-out code unusual, and the first anomaly a surprise."""
    surprise = torch.linspace(0, 1, N)
    surprise[7] = 6.0  # the others are below one
    calibration = calibrated(surprise, [str(i) for i in range(N)])
    first, second, *_ = scores(calibration)
    assert first == pytest.approx(2 + 6 - 1)
    assert second <= 2 + 1  # beside the usual codes of the other folds, which may be without the largest


def test_copies_count_for_their_volume_alone() -> None:
    """Two volumes of ten slices: half of the slices of the first are copies, and score higher than all others."""
    volumes = [str(i // 10) for i in range(N)]
    copy = np.arange(N) < 5
    excess = torch.where(torch.from_numpy(copy), 7.0, 0.0)
    Memory.fits.clear()
    known = held_out(excess, volumes, volumes, copy)
    calibration = calibrate(known, Memory(numbered()[:, 0, 0, 0]), usual())
    assert min(set.union(*Memory.fits)) == 5
    assert len(calibration) == N - 5
    assert scores(calibration)[0] == 2
    assert calibration.volumes is not None
    assert len(calibration.volumes) == 2
    assert scores(calibration.volumes) == [9, 2]
    assert "peak" not in calibration.volumes.held_out
