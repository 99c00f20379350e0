"""No held-out image is judged by a model that has seen it."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from entropix.scoring import Calibration, HeldOut, LatentModel, calibrate

N = 20


@dataclass
class Memory:
    """One nat for images it was fitted on, two for others, anywhere in the image."""

    known: Tensor

    @classmethod
    def fit(cls, x: Tensor, _: Tensor) -> "Memory":
        return cls(x[:, 0, 0, 0])

    def surprise(self, x: Tensor, _: Tensor) -> Tensor:
        return 2.0 - torch.isin(x[:, 0, 0, 0], self.known).float()

    def surprise_map(self, x: Tensor, x_hat: Tensor) -> Tensor:
        return self.surprise(x, x_hat)[:, None, None].expand(-1, 2, 2)


def usual() -> LatentModel:
    """Takes up to the largest of what it is told of held-out images as usual; nothing else of it is used here."""
    empty = torch.zeros(1)
    return LatentModel(empty, empty, empty, empty, empty)


def held_out(x: Tensor, latent: Tensor, groups: list[str]) -> HeldOut:
    """Images of no volumes, none a copy."""
    codes = torch.zeros(len(x), 1)
    return HeldOut(x, torch.zeros_like(x), codes, latent, groups, [""] * len(x), np.ones(len(x), bool))


def calibrated(latent: Tensor, groups: list[str]) -> Calibration:
    x = torch.arange(float(N))[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
    known = held_out(x, latent, groups)
    return calibrate(known, Memory.fit, Memory.fit(x, x), usual())


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
    seen: list[set[int]] = []

    def fit(x: Tensor, x_hat: Tensor) -> Memory:
        seen.append({int(number) for number in x[:, 0, 0, 0]})
        return Memory.fit(x, x_hat)

    x = torch.arange(float(N))[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
    known = held_out(x, torch.zeros(N), [str(i % 7) for i in range(N)])
    calibrate(known, fit, Memory.fit(x, x), usual())
    assert len(seen) == 5
    for fitted_on in seen:
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
    x = torch.arange(float(N))[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
    volumes = [str(i // 10) for i in range(N)]
    copy = np.arange(N) < 5
    excess = torch.where(torch.from_numpy(copy), 7.0, 0.0)
    fitted_on: list[int] = []

    def fit(x: Tensor, x_hat: Tensor) -> Memory:
        fitted_on.extend(int(number) for number in x[:, 0, 0, 0])
        return Memory.fit(x, x_hat)

    codes = torch.zeros(N, 1)
    known = HeldOut(x, torch.zeros_like(x), codes, excess, volumes, volumes, ~copy)
    calibration = calibrate(known, fit, Memory.fit(x, x), usual())
    assert min(fitted_on) == 5
    assert len(calibration) == N - 5
    assert scores(calibration)[0] == 2
    assert calibration.volumes is not None
    assert len(calibration.volumes) == 2
    assert scores(calibration.volumes) == [9, 2]
    assert "peak" not in calibration.volumes.held_out
