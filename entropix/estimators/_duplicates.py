"""Duplicates: rows that are copies of one another.

Nearest-neighbour estimators take the logarithm of small distances. A copied row has distance zero (log:
minus infinity), a nearly copied one a distance that says nothing about the density, so both must be found
first.

*Exact* duplicates are equal rows. *Near* duplicates are found by a test without a scale of its own. If a point's K
nearest neighbours are distinct draws from a density that is smooth at that scale, then (r_j / r_K)^m, j <
K, are the ordered values of K - 1 uniform variables, m being the intrinsic dimension; so one neighbour or
more lies within the distance t r_K with probability 1 - (1 - t^m)^(K - 1). A pair whose distance has a
probability below 0.01 / n, seen from both ends, is called a duplicate: in a sample without copies the expected
number of false merges is at most 0.01. m comes from the outer half of the neighbours (r_K over r_(K/2),
median over points), which copies of up to K/2 fold do not reach. Groups are the connected components. More
than K near copies of one row hide each other: they look like a dense cluster, and stay.

*Quantised* data (integers, grey levels, rounded decimals) tie without being copied. When equal rows exist
and all columns lie on a lattice, the rows are spread uniformly over their lattice cells, and the same test
is run: pairs that are then still improbably close are copies; the others are ties due to resolution, and
the spread values stand for the sample. The entropy is then that of the density that is constant within a
cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from entropix.estimators._inputs import as_samples, tell
from entropix.estimators._neighbours import nearest
from entropix.ops import Neighbours

FALSE_MERGES = 0.01
"""Expected number of wrongly merged pairs in a sample without duplicates: one sample in a hundred has one."""
SCALE_NEIGHBOURS = 20
"""K of the test: beyond the size of the groups of copies that are to be found, and small beside n."""


@dataclass(frozen=True)
class Duplicates:
    """Which rows are distinct.

    keep: (n_distinct,) indices of one row of each group, ascending. group: (n,) position in ``keep`` of the
    row that stands for each row. n_merged: rows left out. n_exact: those of them that are exact copies.
    spread: (n, d) the rows spread over their lattice cells, or None when the data is not quantised.
    """

    keep: Tensor
    group: Tensor
    n_merged: int
    n_exact: int
    spread: Tensor | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    neighbours: Neighbours | None = field(default=None, repr=False, compare=False)
    """Of the search for near duplicates, euclidean, when it left every row as it was; saves the estimators theirs."""


def merge_duplicates(x: Any) -> Duplicates:
    """Find the distinct rows of x (n, d); the policy is at the top of this module.

    Warns (EstimatorWarning) when rows are merged or spread. Raises what `entropy` raises for bad input.
    """
    samples = as_samples(x)
    if samples.batched:
        raise ValueError(f"x has shape {tuple(samples.x.shape)}; merge_duplicates takes one sample (n, d)")
    duplicates = find_duplicates(samples.x[0])
    tell(list(duplicates.warnings))
    return duplicates


def find_duplicates(x: Tensor) -> Duplicates:
    """`merge_duplicates` on a checked (n, d) tensor, without issuing the warnings."""
    x = x.detach()
    n = len(x)
    notes = []
    spread = None
    keep, group = _equal_rows(x)
    if 2 < len(keep) < n and (step := lattice_step(x[keep])) is not None:
        spread = spread_over_cells(x, step)
        copies, _ = _near_groups(spread)
        if int(copies.max()) + 1 > len(keep):
            # some equal rows are as far apart as chance lets them be: resolution, not copies
            keep, group = first_of(copies)
            notes.append(
                "x is quantised (its values lie on a lattice and rows coincide by chance): rows were spread "
                "uniformly over their lattice cells; the entropy is that of a density constant in each cell"
            )
        else:
            spread = None
    neighbours = None
    if spread is None and len(keep) > 2:
        distinct = x if len(keep) == n else x[keep]
        labels, neighbours = _near_groups(distinct)
        outer, inner = first_of(labels)
        keep, group = keep[outer], inner[group]
    n_merged = n - len(keep)
    n_exact = int((x == x[keep[group]]).all(-1).sum()) - len(keep)
    if n_merged:
        notes.append(
            f"{n_merged} of {n} rows are copies of others ({n_exact} exact, {n_merged - n_exact} near) and "
            f"were merged: {len(keep)} distinct rows remain"
        )
    return Duplicates(keep, group, n_merged, n_exact, spread, tuple(notes), None if n_merged else neighbours)


def spread_over_cells(x: Tensor, step: Tensor) -> Tensor:
    """x (n, d) moved by a uniform draw from the lattice cell around each value, of width step (d,); always the same."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(x.shape, generator=generator, dtype=torch.float64).to(x.device, x.dtype)
    return x + (noise - 0.5) * step


def tied_columns(x: Tensor, k: int) -> Tensor:
    """(d,) whether some value of a column of x (n, d) occurs more than k times, so that k neighbours are at
    distance 0."""
    values = x.sort(dim=0).values
    return (values[k:] == values[:-k]).any(0)


def lattice_step(x: Tensor) -> Tensor | None:
    """Step (d,) of the lattice that the columns of x lie on (0: constant column), None if one does not."""
    values = x.detach().double().sort(dim=0).values
    gaps = values.diff(dim=0)
    resolution = torch.finfo(x.dtype).eps * values.abs().amax(0) * 4
    gaps = torch.where(gaps > resolution, gaps, torch.inf)
    step = gaps.amin(0)
    finite = torch.isfinite(step)
    if not bool(finite.any()):
        return None
    step = torch.where(finite, step, 0.0)
    ratio = torch.where(torch.isfinite(gaps), gaps, step) / torch.where(finite, step, 1.0)
    # Rounding of the values themselves shifts a gap by up to two resolutions, relative to one step.
    slack = (resolution / torch.where(finite, step, 1.0)).clamp(min=1e-6, max=0.1)
    off = (ratio - ratio.round()).abs() > slack
    return None if bool(off.any()) else step.to(x.dtype)


def _equal_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """First index of each distinct row, ascending, and the (n,) position of each row in it."""
    # sorting the hashes is quick, and rules out equal rows for certain
    sums = row_hashes(x).sort().values
    if not bool((sums[1:] == sums[:-1]).any()):
        own = torch.arange(len(x), device=x.device)
        return own, own
    _, labels = torch.unique(x, dim=0, return_inverse=True)
    return first_of(labels)


def row_hashes(x: Tensor, seed: int = 0) -> Tensor:
    """(n,) int64, equal for equal rows of x (n, d): sums of their bits times random odd numbers, modulo 2^64."""
    # adding 0 makes -0 and 0 the same bits
    bits = (x + 0.0).view(torch.int64 if x.dtype == torch.float64 else torch.int32).long()
    odd = torch.randint(2**62, (x.shape[1],), generator=torch.Generator().manual_seed(seed)) * 2 + 1
    return (bits * odd.to(x.device)).sum(1)


def first_of(labels: Tensor) -> tuple[Tensor, Tensor]:
    """First index of each label, ascending, and labels renumbered in that order."""
    n = len(labels)
    position = torch.arange(n, device=labels.device)
    first = torch.full((int(labels.max()) + 1,), n, device=labels.device, dtype=torch.long)
    first = first.scatter_reduce(0, labels, position, "amin")
    order = first.argsort()
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=labels.device)
    return first[order], rank[labels]


def _near_groups(x: Tensor) -> tuple[Tensor, Neighbours]:
    """Group label (n,) of each row of x (n, d), by the test at the top of the module, and the neighbours it saw."""
    n = len(x)
    neighbours = nearest(x, min(SCALE_NEIGHBOURS, n - 1))
    near = near_pairs(neighbours)
    rows = torch.arange(n, device=x.device)[:, None].expand_as(near)[near]
    return components(n, rows, neighbours.indices[near]), neighbours


def near_pairs(neighbours: Neighbours, gather: Callable[[Tensor], Tensor] = lambda rows: rows) -> Tensor:
    """(n, K) whether a neighbour is a duplicate.

    gather: makes the rows of the whole sample of those of this process, where neighbours are those of a part of it.
    """
    from scipy.special import digamma

    distances, indices = neighbours.distances.double(), neighbours.indices
    k = indices.shape[1]
    none = torch.zeros_like(indices, dtype=torch.bool)
    if k < 4:  # nothing to compare a distance with
        return none
    half = k // 2
    outer = distances[:, -1]
    spread = gather((outer / distances[:, half - 1]).log())
    n = len(spread)
    spread = spread[torch.isfinite(spread) & (spread > 0)]
    if len(spread) == 0:
        return none
    # ln(r_K / r_j) has mean (psi(K) - psi(j)) / m; the median is close to it and ignores groups of copies
    m = float(digamma(k) - digamma(half)) / float(spread.median())
    # 1 - (1 - t^m)^(K-1) = p, solved for t
    p = FALSE_MERGES / n
    limit = outer * math.exp(math.log(-math.expm1(math.log1p(-p) / (k - 1))) / m)
    near = distances < limit[:, None]
    limits = gather(limit)
    return near & (distances < limits[indices]) if bool(near.any()) else near


def components(n: int, rows: Tensor, columns: Tensor) -> Tensor:
    """Connected components of a graph on n nodes: labels (n,), 0-based without gaps."""
    if len(rows) == 0:
        return torch.arange(n, device=rows.device)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = torch.ones(len(rows))
    graph = coo_array((ones.numpy(), (rows.cpu().numpy(), columns.cpu().numpy())), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    return torch.as_tensor(labels, device=rows.device, dtype=torch.long)
