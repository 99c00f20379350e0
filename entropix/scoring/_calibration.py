"""The scores of held-out normal images: the yardstick that turns a score into a false-positive rate.

*Conformal p-values.* A new normal image is exchangeable with the n held-out ones, so its score is equally likely to
take any of the n + 1 ranks: p = (1 + number of held-out scores >= its score) / (n + 1), and P(p <= alpha) <= alpha
whatever the distribution of scores (Vovk, Gammerman and Shafer 2005; Bates, Candes, Lei, Romano and Sesia 2023).

*Cross-fitting.* The models of the score are fitted on the held-out images too, so the images' own scores are a little
too low. Each fifth of them is therefore scored by models fitted on the other four, patients and volumes undivided.
The unit of such models differs a little from that of the final ones, as both are fitted on few images. It is corrected
by the median ratio over the images that both were fitted on.

*Volumes.* A new normal volume is exchangeable with the held-out ones, not with their slices: its score is compared with
theirs, whose slices are scored by models that were fitted without the patient. Near-copies among neighbouring slices,
which count once among the images, count here as they will in the new volume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from entropix.scoring._outputs import Outputs
from entropix.scoring._residual import Surprise
from entropix.scoring._scores import DEFAULT_SCORE, SCORES, Terms
from entropix.scoring._volumes import aggregate, slices_of
from entropix.training import MOST_HELD_OUT

FOLDS = 5


class Residuals(Protocol):
    """A model of residuals, and its fit to held-out normal inputs."""

    @classmethod
    def fit(cls, known: Outputs) -> Residuals: ...

    def surprise(self, of: Outputs) -> Surprise: ...


class Latent(Protocol):
    """A model of the latent term of inputs, which held-out normal inputs give its unit."""

    def measure(self, of: Outputs) -> Tensor: ...

    def left_out(self, measured: Tensor, others: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class HeldOut:
    """Held-out normal inputs.

    Attributes:
        outputs: what the networks make of them, n in all.
        groups: patient, volume or name of each.
        volumes: the volume that each is a slice of, "" if of none.
        distinct: (n,) False for copies of others, which are scored for their volume's sake alone.
    """

    outputs: Outputs
    groups: Sequence[str]
    volumes: Sequence[str]
    distinct: np.ndarray


PEAK = "peak"  # the largest value of a heat map: `regions` goes by it
VOLUMES = "volumes"


@dataclass(frozen=True)
class Calibration:
    """The cross-fitted scores of n held-out normal images.

    Attributes:
        held_out: scores (n,), ascending, of every calibrated score by its name; under "peak" the largest values of the
            heat maps, nats per pixel.
        volumes: the same of the held-out volumes, but for the heat maps; None where the images were of none.
    """

    held_out: dict[str, Tensor]
    volumes: Calibration | None = None

    def __len__(self) -> int:
        return len(self.held_out[DEFAULT_SCORE])

    def tensors(self) -> dict[str, Tensor]:
        """Return all scores by name, those of volumes under `volumes.`."""
        of_volumes = {} if self.volumes is None else self.volumes.held_out
        return self.held_out | {f"{VOLUMES}.{name}": values for name, values in of_volumes.items()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Calibration:
        """Return the calibration that has these `tensors`."""
        start = f"{VOLUMES}."
        of_volumes = {name.removeprefix(start): one for name, one in tensors.items() if name.startswith(start)}
        own = {name: one for name, one in tensors.items() if not name.startswith(start)}
        return cls(own, cls(of_volumes) if of_volumes else None)

    def __getitem__(self, name: str) -> Tensor:
        """Return the scores of the held-out images, (n,) ascending.

        Raises:
            ValueError: there are none of that name; the message says why.
        """
        if name not in self.held_out:
            why = "it has no p-values" if name in SCORES else f"expected one of {', '.join(self.held_out)}"
            raise ValueError(f"score={name!r}: this model does not know what held-out images score; {why}")
        return self.held_out[name]

    def p_value(self, scores: np.ndarray, name: str = DEFAULT_SCORE) -> np.ndarray:
        """Return conformal p-values (m,) of scores (m,), between 1 / (n + 1) and 1.

        Raises:
            ValueError: as for a look-up by `name`.
        """
        known = self[name].numpy()
        below = np.searchsorted(known, scores.astype(known.dtype), side="left")
        return (1 + len(known) - below) / (len(known) + 1)

    def threshold(self, alpha: float, name: str = DEFAULT_SCORE) -> float:
        """Return the score above which p-values are at most `alpha`.

        Args:
            alpha: false-positive rate.
            name: which score.

        Raises:
            ValueError: `alpha` is not between 0 and 1, or below 1 / (n + 1), which no p-value can reach.
        """
        check_alpha(alpha)
        rank = math.floor(alpha * (len(self) + 1) + 1e-9)  # that many of the n + 1 ranks lie within alpha
        if rank == 0:
            needed = math.ceil(1 / alpha) - 1
            more = f"fit on at least {5 * needed} distinct images, or " if needed <= MOST_HELD_OUT else ""
            raise ValueError(
                f"alpha={alpha}: with {len(self)} held-out normal images no p-value is below 1 / {len(self) + 1} = "
                f"{self.least:.3g}; {more}choose a larger alpha"
            )
        return float(self[name][-rank])

    def reachable(self, alpha: float) -> float:
        """Return `alpha`, or the smallest p-value there can be if that is larger: the rate that `predict` goes by."""
        return max(alpha, self.least)

    @property
    def least(self) -> float:
        """The smallest p-value there can be, 1 / (n + 1)."""
        return 1 / (len(self) + 1)


def check_alpha(alpha: float) -> None:
    """Raise ValueError unless `alpha` is between 0 and 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha!r}; expected a false-positive rate between 0 and 1, such as 0.05")


def false_discovery_adjusted(p_values: np.ndarray, fdr: float) -> np.ndarray:
    """Return p-values (m,) adjusted for their number: those that are at most `fdr` are the discoveries.

    Of the discoveries a share of at most `fdr` are normal, in expectation (Benjamini and Hochberg 1995). This holds for
    conformal p-values, though they share their held-out images (Bates, Candes, Lei, Romano and Sesia 2023, theorem 2).

    Raises:
        ValueError: `fdr` is not between 0 and 1.
    """
    from scipy.stats import false_discovery_control

    if isinstance(fdr, bool) or not isinstance(fdr, int | float) or not 0 < fdr < 1:
        raise ValueError(f"fdr={fdr!r}; expected a false discovery rate between 0 and 1, such as 0.1")
    return false_discovery_control(p_values) if len(p_values) else p_values


def calibrate(held_out: HeldOut, residual: Residuals, latent: Latent) -> Calibration:
    """Return the cross-fitted scores of held-out images.

    Args:
        held_out: the images.
        residual: the model of residuals that was fitted to all of them that are distinct.
        latent: the model of the latent term, fitted on training images; held-out ones set its unit.
    """
    outputs, folds = held_out.outputs, _folds(held_out.groups)
    conditional, measured = residual.surprise(outputs).total, latent.measure(outputs)
    calibrated = [score for score in SCORES.values() if score.calibrated]
    found = {name: torch.empty_like(conditional) for name in (*(score.name for score in calibrated), PEAK)}
    for fold in np.unique(folds):
        inside, rest = (
            torch.from_numpy(chosen).to(outputs.x.device)
            for chosen in (folds == fold, (folds != fold) & held_out.distinct)
        )
        scored, others = outputs.rows(inside), outputs.rows(rest)
        part = residual.fit(others)
        ratio = conditional[rest] / part.surprise(others).total
        unit = ratio[torch.isfinite(ratio)].median() if bool(torch.isfinite(ratio).any()) else 1.0
        surprise, nats = part.surprise(scored), latent.left_out(measured[inside], measured[rest])
        terms = Terms(scored, unit * surprise.total, nats)
        for score in calibrated:
            found[score.name][inside] = score.function(terms)
        found[PEAK][inside] = unit * surprise.places.flatten(1).amax(1)
    distinct = torch.from_numpy(held_out.distinct)
    scores = {name: values[distinct.to(values.device)].sort().values.cpu() for name, values in found.items()}
    return Calibration(scores, _of_volumes(found, held_out.volumes))


def _of_volumes(scores: dict[str, Tensor], volumes: Sequence[str]) -> Calibration | None:
    """The scores of volumes from those of slices, (n,) by name."""
    members = [np.array(slices) for slices in slices_of(volumes).values()]
    if not members:
        return None
    found = {}
    for name, values in scores.items():
        if name != PEAK:
            known = values.cpu().numpy()
            found[name] = torch.tensor([aggregate(known[slices]) for slices in members], dtype=values.dtype)
    return Calibration({name: values.sort().values for name, values in found.items()})


def _folds(groups: Sequence[str]) -> np.ndarray:
    """Fold (n,) of each image; images of one group are in one fold, unless there is only one group."""
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    if numbers.max() == 0:
        numbers = np.arange(len(groups))
    return numbers % min(FOLDS, numbers.max() + 1)
