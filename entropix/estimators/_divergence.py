"""Kullback-Leibler divergence between two samples."""

from __future__ import annotations

from math import log
from typing import cast

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._controlled import SCALE, STRONGER, extrapolated
from entropix.estimators._dependent_rows import as_groups, clustered_variance
from entropix.estimators._duplicates import find_duplicates, row_hashes
from entropix.estimators._inputs import Samples, as_samples, check_base, check_neighbours, tell, unit_of
from entropix.estimators._kozachenko_leonenko import averaging_noise, log_radii
from entropix.estimators._normal_pair import NormalPair
from entropix.estimators._results import Information, InformationOrBatch, averaged
from entropix.estimators._subspace import spanned_dimensions
from entropix.ops import Neighbours, knn

CONTROLS = 8
"""Simulated pairs of samples."""
HARDLY_COVERED = 0.1
"""Effective share of the rows of y below which they are said to hardly cover those of x."""


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
    samples of two normals like x and y (a control variate; `_normal_pair`). Both are taken in coordinates in which y is
    white, so that it doesn't change under linear maps of both samples together. The standard error counts the sampling
    of x and of y, and what another number of neighbours would change. A warning says if rows of y hardly cover x, or
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
    n, d = x.shape
    m = len(y)
    check_neighbours(k, n)
    check_neighbours(k, m + 1)
    notes = duplicates.warnings + others.warnings
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
    model_stderr, of_y = 0.0, -ratios
    if model is not None and far == SCALE * k:
        seed = _seed(x.detach(), y.detach())
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
        model_stderr = (left.beyond_noise**2 + float(errors[:, 0].var()) / len(errors)) ** 0.5
        notes += left.notes((float(points.detach().var()) / n + float(of_y.var()) / m) ** 0.5, share=0.0)
    variance_of_y = float(of_y.var()) / m if of_others is None else clustered_variance(of_y, of_others)[0]
    return Information(
        **averaged(
            points,
            duplicates.group,
            samples,
            base,
            local,
            noise=averaging_noise(k),
            model_stderr=(model_stderr**2 + variance_of_y) ** 0.5,
            clusters=of_rows,
            notes=notes,
        ),
        k=k,
        method="wang",
    )


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


def _seed(x: Tensor, y: Tensor) -> int:
    """Return a seed that depends on the order of the values in each column, but not on that of the rows."""
    ranks = torch.cat([x, y]).argsort(0).argsort(0).double()
    return int(row_hashes(ranks[: len(x)]).square().sum()) % 2**62
