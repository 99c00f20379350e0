"""The divergence of two samples in given coordinates, less the error made on two normals like them."""

from __future__ import annotations

from math import log
from typing import NamedTuple

import torch
from torch import Tensor

from entropix.estimators._controlled import SCALE, STRONGER, Left, extrapolated
from entropix.estimators._dependent_rows import clustered_variance
from entropix.estimators._duplicates import dense_ranks, row_hashes
from entropix.estimators._kozachenko_leonenko import log_radii
from entropix.estimators._normal_pair import NormalPair
from entropix.estimators._subspace import spanned_dimensions
from entropix.ops import Neighbours, knn

CONTROLS = 8
"""Simulated pairs of samples."""
HARDLY_COVERED = 0.1
"""Effective share of the rows of y below which they are said to hardly cover those of x."""
UNSEEN_ROWS = 5
"""Rows of x that may lie farther from y than any row of y does from the others: of two equal samples about one does."""


class ControlledDivergence(NamedTuple):
    """A divergence, point by point.

    Attributes:
        points: Contributions (n,) of the rows of x in nats, whose mean is the divergence.
        of_y: By how much (m,), times 1 / m, the value depends on each row of y.
        subtracted_stderr: Standard error in nats of what was subtracted.
        left: Error that is left.
        shared: Rows of x that lie exactly on rows of y.
        notes: Warnings to issue.
    """

    points: Tensor
    of_y: Tensor
    subtracted_stderr: float
    left: Left
    shared: int
    notes: tuple[str, ...]

    def variance_of_y(self, groups: Tensor | None) -> float:
        """Return the variance that the sampling of y adds; groups (m,) of its rows, None if they are independent."""
        return _variance(self.of_y, groups)

    @property
    def model_stderr(self) -> float:
        """Standard error in nats of what was subtracted, and of the error that is left."""
        return (self.subtracted_stderr**2 + self.left.beyond_noise**2) ** 0.5

    def clear_stderr(self, of_x: Tensor | None, of_y: Tensor | None) -> float:
        """Return the standard error in nats by which this is compared with others; groups (n,) and (m,) as above.

        Of the error that is left it has what is clear: the rest is large or nothing as noise will have it, and
        whichever of two estimates it spared would be taken.
        """
        sampling = _variance(self.points.detach(), of_x) + self.variance_of_y(of_y)
        return (sampling + self.subtracted_stderr**2 + (self.left.share * self.left.value) ** 2) ** 0.5


def _variance(points: Tensor, groups: Tensor | None) -> float:
    return float(points.var()) / len(points) if groups is None else clustered_variance(points, groups)[0]


def controlled_divergence(x: Tensor, y: Tensor, k: int) -> ControlledDivergence:
    """Estimate D(P || Q) from x (n, d) of P and y (m, d) of Q, both without duplicates.

    Raises:
        ValueError: k or more rows of y lie exactly on a row of x.
    """
    n, d = x.shape
    m = len(y)
    notes: tuple[str, ...] = ()
    centre = y.detach().mean(0)
    x, y = x - centre, y - centre
    model = None
    if min(n, m) > d + 2 and spanned_dimensions(y) == d == spanned_dimensions(x):
        model, white = NormalPair.fit(x.detach(), y.detach())
        x, y = x @ white, y @ white
    far = min(SCALE * k, n - 1, m)
    near, across = _log_ratios(x, y, (k, far))
    points, shared = near[0], int((across.distances[:, 0] == 0).sum())
    if not bool((across.distances[:, k - 1] > 0).all()):
        raise ValueError(
            f"some rows of x have {k} or more rows of y exactly on them; "
            "the samples must be independent draws of two densities"
        )
    if shared:
        notes += (
            f"{shared} of {n} rows of x lie exactly on rows of y, which independent draws of two densities never do: "
            "the value is too low",
        )
    # how often a row of y is a neighbour estimates p / q there, by which the value depends on it
    ratios = torch.bincount(across.indices[:, :k].flatten(), minlength=m).double() * (m / (n * k))
    covered = 1 / float(ratios.square().mean())
    if covered < HARDLY_COVERED:
        notes += (
            f"rows of y hardly cover those of x (as if {100 * covered:.2g} % of them counted): where there are none, "
            "the density of Q is that of a fitted normal, and the interval is not to be relied on",
        )
    elif (
        m > k
        and (beyond := int((across.distances[:, k - 1] > knn(y.detach(), k).distances[:, -1].max()).sum()))
        > UNSEEN_ROWS
    ):
        notes += (
            f"{beyond} of {n} rows of x lie where there are no rows of y: what they add is that of fitted normals, and "
            "too little if P has heavier tails than Q",
        )
    subtracted_stderr, left, of_y = 0.0, Left(0.0, 0.0), -ratios
    if model is not None and far == SCALE * k:
        seed = seed_of(x.detach(), y.detach())
        errors = _errors(model, n, m, (k, far), seed)
        points = points - errors[:, 0].mean()
        if model.divergence > 0:
            # the part of a change of the normals that neighbours don't see, but what is subtracted follows
            change = _errors(model.with_divergence(STRONGER * model.divergence), n, m, (k, far), seed, 2) - errors[:2]
            unseen = min(max(-float(change[:, 0].mean()) / ((STRONGER - 1) * model.divergence), 0.0), 1.0)
            linear = model.log_ratio(x.detach())
            points = points + unseen * (linear - linear.mean())
            of_y = of_y + unseen * model.influence_of_q(y.detach())
        further, apart = (near[1] - near[0]).detach(), errors[:, 1] - errors[:, 0]
        # of the two spreads, only that of the simulated samples knows that rows share their neighbours in y
        noise = max(float(further.var()) / n, float(apart.var())) + float(apart.var()) / len(errors)
        left = extrapolated(float(further.mean() - apart.mean()), noise**0.5, d)
        # what is subtracted is right for two normals: their divergence shows how far the data is from being like them
        value, error = float(points.detach().mean()), float(errors[:, 0].mean())
        unlike = error * abs(model.divergence - value) / max(model.divergence, abs(value))
        subtracted_stderr = (unlike**2 + float(errors[:, 0].var()) / len(errors)) ** 0.5
        notes += left.notes((float(points.detach().var()) / n + float(of_y.var()) / m) ** 0.5, share=0.0)
    return ControlledDivergence(points, of_y, subtracted_stderr, left, shared, notes)


def _log_ratios(x: Tensor, y: Tensor, ks: tuple[int, ...]) -> tuple[list[Tensor], Neighbours]:
    """Return the estimates (n,) of ln p / q at the rows of x for each k, and the neighbours in y that they rest on."""
    n, d = x.shape
    within = log_radii(x, ks[0], extra=max(ks))
    across = knn(y.detach(), max(ks), query=x.detach())
    found = []
    for k in ks:
        own = within.kth if k == ks[0] else within.all[:, k - 1]
        other = (x - y[across.indices[:, k - 1]]).norm(dim=-1).log()
        found.append(d * (other - own) + log(len(y) / (n - 1)))
    return found, across


def _errors(model: NormalPair, n: int, m: int, ks: tuple[int, ...], seed: int, samples: int = CONTROLS) -> Tensor:
    """Return the error for each k on samples of the model, (samples, len(ks))."""
    generator = torch.Generator().manual_seed(seed)
    errors = []
    for _ in range(samples):
        x, y = model.sample(n, m, generator)
        exact = model.log_ratio(x).mean()
        errors.append(torch.stack([points.mean() - exact for points in _log_ratios(x, y, ks)[0]]))
    return torch.stack(errors)


def seed_of(x: Tensor, y: Tensor) -> int:
    """Return a seed that depends on the order of the values in each column, but not on that of the rows."""
    ranks = dense_ranks(torch.cat([x, y]))
    return int(row_hashes(ranks[: len(x)]).square().sum()) % 2**62
