"""Kullback-Leibler divergence between two samples."""

from __future__ import annotations

from typing import cast

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._controlled_divergence import controlled_divergence
from entropix.estimators._dependent_rows import as_groups
from entropix.estimators._duplicates import find_duplicates
from entropix.estimators._inputs import Samples, as_samples, check_base, check_neighbours, tell, unit_of
from entropix.estimators._kozachenko_leonenko import averaging_noise
from entropix.estimators._marginals import quantile_scores
from entropix.estimators._results import Information, InformationOrBatch, averaged

MUCH = 2.0
"""Times that the plain estimate's standard error has to exceed that by ranks: ranks blur differences of columns."""


def kl_divergence(
    x: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    k: int = 5,
    *,
    base: float | None = None,
    local: bool = False,
    groups: tuple[ArrayLike, ArrayLike] | None = None,
) -> InformationOrBatch:
    """Estimate the Kullback-Leibler divergence D(P || Q) from samples of P and Q.

    The estimate is that of Wang, Kulkarni and Verdu (2009, eq. 5): d <ln(nu_k / rho_k)> + ln(m / (n - 1)), rho_k and
    nu_k being the distances from each point of x to its k-th neighbour in x and in y, less the error that it makes on
    samples of two normals like x and y (a control variate; `_controlled_divergence`). Both are taken in coordinates in
    which y is white, so that it doesn't change under linear maps of both samples together. A divergence doesn't change
    under monotone maps of columns either: the estimate is also made on normal scores of the columns, by ranks in both
    samples together, which heavy tails do not disturb, and returned if its standard error is less than half the other's
    (not where columns have ties, or a gradient is asked for). The standard error counts the sampling of x and of
    y, and what another number of neighbours would change. A warning says if rows of y hardly cover x, or
    if rows of x lie on rows of y. Duplicates are merged in each sample.

    Args:
        x: Sample (n,) or (n, d) of P, or a batch of them (b, n, d): array, tensor or nested lists.
        y: Sample (m,) or (m, d) of Q, or a batch (b, m, d).
        k: Number of neighbours.
        base: Base of the logarithm; None: nats.
        local: Also return the contributions (n,), the log density ratios at the points of x.
        groups: Patient, series or subject that each row of x (n,) and of y (m,) belongs to, a pair: rows of one group
            may depend on one another.

    Returns:
        An `Information`, or a list of them for a batch. The value is a 0-d tensor with a gradient when x or y requires
            one.

    Raises:
        TypeError: Complex, boolean or non-numeric values, or a k that is no whole number.
        ValueError: NaN or infinity, too few distinct rows, samples of different d, k or more points of y that lie
            exactly on a point of x, or a base that is 1 or not positive.
    """
    check_base(base)
    first, second = as_samples(x, "x"), as_samples(y, "y")
    if first.x.shape[::2] != second.x.shape[::2]:
        raise ValueError(
            f"x has (batch, d) = {tuple(first.x.shape[::2])} but y has {tuple(second.x.shape[::2])}; they must agree"
        )
    pairs = zip(first.x, second.x, strict=True)
    labels = (None, None) if groups is None else groups
    clusters = (
        as_groups(labels[0], first.x.shape[1], first.x.device, "groups of x"),
        as_groups(labels[1], second.x.shape[1], first.x.device, "groups of y"),
    )
    results = [_one(a, b.to(a), first, k, base, local, clusters) for a, b in pairs]
    tell([note for result in results for note in result.warnings])
    return cast(InformationOrBatch, results if first.batched else results[0])


def _one(
    x: Tensor,
    y: Tensor,
    samples: Samples,
    k: int,
    base: float | None,
    local: bool,
    clusters: tuple[Tensor | None, Tensor | None],
) -> Information:
    unit = unit_of(torch.cat([x.detach(), y.detach()]))
    x, y = x / unit, y / unit
    duplicates, others = find_duplicates(x), find_duplicates(y)
    x, y = (
        (rows if found.spread is None else rows + (found.spread - rows.detach()))[found.keep].double()
        for rows, found in ((x, duplicates), (y, others))
    )
    of_rows, of_others = (
        None if labels is None else labels[found.keep]
        for labels, found in zip(clusters, (duplicates, others), strict=True)
    )
    check_neighbours(k, len(x))
    check_neighbours(k, len(y) + 1)
    found = controlled_divergence(x, y, k)
    if not (x.requires_grad or y.requires_grad or found.shared or _has_ties(torch.cat([x, y]))):
        by_rank = controlled_divergence(*_pooled_scores(x, y), k)
        if MUCH * by_rank.clear_stderr(of_rows, of_others) < found.clear_stderr(of_rows, of_others):
            found = by_rank
    return Information(
        **averaged(
            found.points,
            duplicates.group,
            samples,
            base,
            local,
            noise=averaging_noise(k),
            model_stderr=(found.model_stderr**2 + found.variance_of_y(of_others)) ** 0.5,
            clusters=of_rows,
            notes=duplicates.warnings + others.warnings + found.notes,
        ),
        k=k,
        method="wang",
    )


def _has_ties(x: Tensor) -> bool:
    return any(len(column.unique()) < len(column) for column in x.T)


def _pooled_scores(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Replace the columns of both samples by their normal scores in the two together."""
    scores = torch.from_numpy(quantile_scores(torch.cat([x, y]).cpu().numpy())).to(x.device)
    return scores[: len(x)], scores[len(x) :]
