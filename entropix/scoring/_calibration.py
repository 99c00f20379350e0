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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from entropix._utils import INFERENCE_BATCH
from entropix.scoring._scores import DEFAULT_SCORE, SCORES, Terms
from entropix.scoring._volumes import aggregate, slices_of
from entropix.training import MOST_HELD_OUT

FOLDS = 5


class Residuals(Protocol):
    """A model of the residuals of inputs x and reconstructions x_hat, both (n, ...)."""

    def surprise(self, x: Tensor, x_hat: Tensor) -> Tensor: ...

    def surprise_map(self, x: Tensor, x_hat: Tensor) -> Tensor: ...


class Latent(Protocol):
    """A model of the latent term of inputs, which held-out normal inputs give its unit."""

    def left_out(self, measured: Tensor, others: Tensor) -> Tensor: ...


FitResiduals = Callable[[Tensor, Tensor], Any]
"""Fits a model of residuals (`Residuals`) on held-out inputs and their reconstructions."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out normal inputs.

    Attributes:
        x: inputs (n, ...).
        x_hat: their reconstructions (n, ...).
        z: their codes (n, d).
        latent: (n,) what the model of the latent term measures of each.
        groups: patient, volume or name of each.
        volumes: the volume that each is a slice of, "" if of none.
        distinct: (n,) False for copies of others, which are scored for their volume's sake alone.
    """

    x: Tensor
    x_hat: Tensor
    z: Tensor
    latent: Tensor
    groups: Sequence[str]
    volumes: Sequence[str]
    distinct: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def subset(self, chosen: np.ndarray) -> HeldOut:
        """Return the inputs at which the mask `chosen`, (n,), is True."""
        mask = torch.from_numpy(chosen).to(self.x.device)
        groups, volumes = (
            [name for name, inside in zip(names, chosen, strict=True) if inside]
            for names in (self.groups, self.volumes)
        )
        parts = (self.x[mask], self.x_hat[mask], self.z[mask], self.latent[mask])
        return HeldOut(*parts, groups, volumes, self.distinct[chosen])

    def with_more(self, others: HeldOut) -> HeldOut:
        """Return these inputs and `others`."""
        return HeldOut(
            torch.cat([self.x, others.x]),
            torch.cat([self.x_hat, others.x_hat]),
            torch.cat([self.z, others.z]),
            torch.cat([self.latent, others.latent]),
            [*self.groups, *others.groups],
            [*self.volumes, *others.volumes],
            np.concatenate([self.distinct, others.distinct]),
        )


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


def calibrate(held_out: HeldOut, fit: FitResiduals, residual: Residuals, latent: Latent) -> Calibration:
    """Return the cross-fitted scores of held-out images.

    Args:
        held_out: the images, their reconstructions and codes, and what `latent` measures of them.
        fit: fits a model of residuals.
        residual: the model that it fitted on all held-out images.
        latent: the model of the latent term, fitted on training images; held-out ones set its unit.
    """
    folds = _folds(held_out.groups)
    conditional = _surprise(residual, held_out)
    calibrated = [score for score in SCORES.values() if score.calibrated]
    found = {name: torch.empty_like(conditional) for name in (*(score.name for score in calibrated), PEAK)}
    for fold in np.unique(folds):
        others = (folds != fold) & held_out.distinct
        scored, fitted_on = held_out.subset(folds == fold), held_out.subset(others)
        inside, rest = torch.from_numpy(folds == fold), torch.from_numpy(others)
        part = fit(fitted_on.x, fitted_on.x_hat)
        unit = (conditional[rest] / _surprise(part, fitted_on)).median()
        nats = latent.left_out(scored.latent, fitted_on.latent)
        terms = Terms(scored.x, scored.x_hat, scored.z, unit * _surprise(part, scored), nats)
        for score in calibrated:
            found[score.name][inside] = score.function(terms)
        found[PEAK][inside] = unit * _peak(part, scored)
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


def _surprise(model: Residuals, of: HeldOut) -> Tensor:
    return _each_batch(model.surprise, of)


def _peak(model: Residuals, of: HeldOut) -> Tensor:
    return _each_batch(lambda x, x_hat: model.surprise_map(x, x_hat).flatten(1).amax(1), of)


def _each_batch(function: Callable[[Tensor, Tensor], Tensor], of: HeldOut) -> Tensor:
    pairs = zip(of.x.split(INFERENCE_BATCH), of.x_hat.split(INFERENCE_BATCH), strict=True)
    return torch.cat([function(x, x_hat) for x, x_hat in pairs])
