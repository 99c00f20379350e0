"""Kullback-Leibler divergence between two samples."""

from __future__ import annotations

from math import log
from typing import cast

from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._duplicates import find_duplicates
from entropix.estimators._inputs import Samples, as_samples, check_base, check_neighbours, tell
from entropix.estimators._kozachenko_leonenko import log_radii
from entropix.estimators._results import Information, InformationOrBatch, averaged
from entropix.ops import knn


def kl_divergence(
    x: ArrayLike | Tensor, y: ArrayLike | Tensor, k: int = 5, *, base: float | None = None, local: bool = False
) -> InformationOrBatch:
    """Estimate the Kullback-Leibler divergence D(P || Q) from samples of P and Q.

    The estimate is that of Wang, Kulkarni and Verdu (2009, eq. 5): d <ln(nu_k / rho_k)> + ln(m / (n - 1)), rho_k and
    nu_k being the distances from each point of x to its k-th neighbour in x and in y. It doesn't change under
    translations, rotations and scaling of both samples together. It is unbiased in the limit of many samples only: the
    distances to y are the larger the farther Q is from P, and the estimate is then too low.

    Duplicates are merged in each sample.

    Args:
        x: Sample (n,) or (n, d) of P, or a batch of them (b, n, d): array, tensor or nested lists.
        y: Sample (m,) or (m, d) of Q, or a batch (b, m, d).
        k: Number of neighbours.
        base: Base of the logarithm; None: nats.
        local: Also return the contributions (n,), the log density ratios at the points of x.

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
    results = [_one(a, b.to(a), first, k, base, local) for a, b in pairs]
    tell([note for result in results for note in result.warnings])
    return cast(InformationOrBatch, results if first.batched else results[0])


def _one(x: Tensor, y: Tensor, samples: Samples, k: int, base: float | None, local: bool) -> Information:
    d = x.shape[1]
    duplicates, others = find_duplicates(x), find_duplicates(y)
    quantised = any(found.spread is not None for found in (duplicates, others))
    x, y = (
        (rows if found.spread is None else rows + (found.spread - rows.detach()))[found.keep]
        for rows, found in ((x, duplicates), (y, others))
    )
    check_neighbours(k, len(x))
    check_neighbours(k, len(y) + 1)
    within = log_radii(x, k).kth
    found = knn(y.detach(), k, query=x.detach())
    if not bool((found.distances[:, -1] > 0).all()):
        raise ValueError(
            f"some rows of x have {k} or more rows of y exactly on them; "
            + ("give more resolution" if quantised else "the samples must be independent draws of two densities")
        )
    across = (x.double() - y.double()[found.indices[:, -1]]).norm(dim=-1).log()
    points = d * (across - within) + log(len(y) / (len(x) - 1))
    return Information(
        **averaged(points, duplicates.group, samples, base, local, notes=duplicates.warnings + others.warnings),
        k=k,
        method="wang",
    )
