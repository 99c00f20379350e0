"""Duplicates: rows that are copies of one another.

Nearest-neighbour estimators take the logarithm of small distances. An exact duplicate has distance zero (log: minus
infinity), a near one a distance that says nothing about the density, so both must be found first.

*Exact* duplicates are equal rows. *Near* duplicates are found by a test without a scale of its own. If a point's K
nearest neighbours are distinct draws from a density that is smooth at that scale, then (r_j / r_K)^m, j <
K, are the ordered values of K - 1 uniform variables, m being the intrinsic dimension; so one neighbour or
more lies within the distance t r_K with probability 1 - (1 - t^m)^(K - 1). A pair whose distance has a
probability below 0.01 / n, seen from both ends, is called a duplicate: in a sample without copies the expected
number of false merges is at most 0.01. m comes from the outer half of the neighbours (r_K over r_(K/2),
median over points), which groups of up to K/2 duplicates do not reach. Groups are the connected components. More than
K near duplicates of one row hide each other: they look like a dense cluster, and stay.

*Quantised* data (integers, grey levels, rounded decimals) tie without being duplicates. When equal rows exist and all
columns lie on a lattice, the rows are spread uniformly over their lattice cells, and the same test is run: pairs that
are then still improbably close are duplicates; the others are ties due to resolution, and the spread values stand for
the sample. The entropy is then that of the density that is constant within a cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._inputs import as_samples, tell
from entropix.estimators._neighbours import nearest
from entropix.ops import Neighbours, knn

FALSE_MERGES = 0.01
"""Expected number of wrongly merged pairs in a sample without duplicates: one sample in a hundred has one."""
ATOM = 0.02
"""Share of one row, if it is most of the copies too, at which a distribution is said to be part discrete."""
ATOM_ROWS = 5
"""Rows that it takes: a row or two that were counted again say nothing of a distribution."""
TIGHTER = 1.5
"""Ratio of two medians that 20 neighbours don't reach by chance."""
TABLE_ROWS = 8
"""Rows to a value, at least, in columns that are quantised without an even step."""
SCALE_NEIGHBOURS = 20
"""K of the test: beyond the size of the groups of duplicates that are to be found, and small beside n."""


@dataclass(frozen=True)
class Duplicates:
    """The distinct rows of a sample, and which of them stands for each row.

    Attributes:
        keep: Indices (n_distinct,) of one row of each group of duplicates, ascending.
        group: Position (n,) in `keep` of the row that stands for each row.
        n_merged: Number of rows left out.
        n_exact: Number of rows left out that are equal to the one that stands for them.
        spread: Rows (n, d), float64, spread over their lattice cells; None: the data is not quantised.
        warnings: What there is to say about it.
        neighbours: Euclidean neighbours that the search for near duplicates found, if it left every row as it was, so
            that the estimators need not search again; else None.
    """

    keep: Tensor
    group: Tensor
    n_merged: int
    n_exact: int
    spread: Tensor | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    neighbours: Neighbours | None = field(default=None, repr=False, compare=False)


def merge_duplicates(x: ArrayLike | Tensor) -> Duplicates:
    """Find the distinct rows of a sample, and spread quantised data over its lattice.

    Two rows are duplicates if they are equal, or so close that distinct draws come as close in no more than one sample
    of a hundred (top of `_duplicates`). Quantised data (integers, grey levels), whose rows coincide by chance, is
    spread uniformly over its lattice cells instead. When rows are merged or spread, an `EstimatorWarning` says so.

    Args:
        x: Sample (n,) or (n, d): array, tensor or nested lists.

    Returns:
        The distinct rows and the groups that they stand for.

    Raises:
        TypeError: Complex, boolean or non-numeric values.
        ValueError: NaN or infinity, an empty axis, or a batch.
    """
    samples = as_samples(x)
    if samples.batched:
        raise ValueError(f"x has shape {tuple(samples.x.shape)}; merge_duplicates takes one sample (n, d)")
    duplicates = find_duplicates(samples.x[0])
    tell(list(duplicates.warnings))
    return duplicates


def find_duplicates(x: Tensor) -> Duplicates:
    """Apply `merge_duplicates` to a checked (n, d) tensor, without issuing the warnings."""
    x = x.detach()
    n = len(x)
    notes = []
    spread = None
    keep, group = _equal_rows(x)
    if 2 < len(keep) < n and (cells := cells_of(x, keep)) is not None:
        spread = spread_over_cells(x, cells)
        labels, _ = _near_groups(spread)
        if int(labels.max()) + 1 > len(keep):
            # some equal rows are as far apart as chance lets them be: resolution, not duplicates
            keep, group = first_of(labels)
            notes.append(
                "x is quantised (its values lie on a lattice and rows coincide by chance): rows were spread "
                "uniformly over their lattice cells; the entropy is that of a density constant in each cell"
            )
        else:
            spread = None
    neighbours = None
    if spread is None and len(keep) > 2:
        distinct = x if len(keep) == n else x[keep]  # copies are looked for in the precision that came
        labels, neighbours = _near_groups(distinct)
        outer, inner = first_of(labels)
        keep, group = keep[outer], inner[group]
    n_merged = n - len(keep)
    most = int(torch.bincount(group).max()) if spread is None and n_merged else 1
    if most >= ATOM_ROWS and most > ATOM * n and most > n_merged / 2:
        notes.append(
            f"one row occurs in {100 * most / n:.0f} % of the sample: its distribution is part discrete, and has no "
            "differential entropy; the value is that of the other rows"
        )
    n_exact = int((x == x[keep[group]]).all(-1).sum()) - len(keep)
    if n_merged:
        notes.append(
            f"{n_merged} of {n} rows are copies of others ({n_exact} exact, {n_merged - n_exact} near) and "
            f"were merged: {len(keep)} distinct rows remain"
        )
    return Duplicates(keep, group, n_merged, n_exact, spread, tuple(notes), None if n_merged else neighbours)


class Cells(NamedTuple):
    """Ends (n, d), float64, of the cell of resolution around each value."""

    low: Tensor
    high: Tensor


def spread_over_cells(x: Tensor, cells: Cells) -> Tensor:
    """Replace each value of x (n, d) by a uniform draw from its cell; in float64, which resolves what x doesn't.

    The draws are the same on each call.
    """
    generator = torch.Generator().manual_seed(0)
    share = torch.rand(x.shape, generator=generator, dtype=torch.float64).to(x.device)
    return cells.low + share * (cells.high - cells.low)


def cells_of(x: Tensor, keep: Tensor | None = None) -> Cells | None:
    """Return the cells of quantised columns of x (n, d), None if a column has no limited resolution.

    A lattice with one step per column has cells of that width. Other tables of values (roots or logarithms of
    integers) are known by many rows sharing few values, unequally often; their cells end midway between neighbours.

    Args:
        x: The rows.
        keep: Indices of the distinct ones; None: all.
    """
    distinct = x if keep is None else x[keep]
    step = lattice_step(distinct)
    if step is None and x.dtype == torch.float32:
        # far from 0, values fill the lattice of the floating-point type itself: they are exact multiples of its step
        step = _step(distinct, torch.zeros_like(x[0], dtype=torch.float64))
    if step is not None:
        half = step.double() / 2
        return Cells(x.double() - half, x.double() + half)
    low, high = x.double().clone(), x.double().clone()
    for j, column in enumerate(x.double().T):
        values, place, counts = torch.unique(column, return_inverse=True, return_counts=True)
        if len(values) == 1:
            continue
        if len(values) * TABLE_ROWS > len(column) or bool((counts == counts[0]).all()):
            return None
        gaps = values.diff() / 2
        below, above = torch.cat([gaps[:1], gaps]), torch.cat([gaps, gaps[-1:]])
        low[:, j], high[:, j] = column - below[place], column + above[place]
    return Cells(low, high)


def tied_columns(x: Tensor, k: int) -> Tensor:
    """Tell, (d,), in which columns of x (n, d) a value occurs more than k times: its k neighbours are at distance 0."""
    values = x.sort(dim=0).values
    return (values[k:] == values[:-k]).any(0)


def lattice_step(x: Tensor) -> Tensor | None:
    """Return the step (d,) of the lattice that the columns of x lie on (0: constant column), None if one doesn't."""
    return _step(x, torch.finfo(x.dtype).eps * x.double().abs().amax(0) * 4)


def _step(x: Tensor, resolution: Tensor) -> Tensor | None:
    values = x.detach().double().sort(dim=0).values
    gaps = values.diff(dim=0)
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
    return None if bool(off.any()) else step


def _equal_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first index of each distinct row, ascending, and the position (n,) of each row among them."""
    # sorting the hashes is quick, and different hashes prove that no rows are equal
    sums = row_hashes(x).sort().values
    if not bool((sums[1:] == sums[:-1]).any()):
        own = torch.arange(len(x), device=x.device)
        return own, own
    _, labels = torch.unique(x, dim=0, return_inverse=True)
    return first_of(labels)


def dense_ranks(x: Tensor) -> Tensor:
    """Number the distinct values of each column of x (n, d) from 0; in float64, and the same on every device."""
    return torch.stack([column.unique(return_inverse=True)[1] for column in x.T], 1).double()


def row_hashes(x: Tensor, seed: int = 0) -> Tensor:
    """Return numbers (n,), int64, that are equal for equal rows of x (n, d).

    They are sums of the mixed bits of the values times random odd numbers, modulo 2^64.
    """
    # adding 0 gives -0 the bits of 0
    bits = (x + 0.0).view(torch.int64 if x.dtype == torch.float64 else torch.int32).long()
    # whole numbers have zeros in all low bits, which a product modulo 2^64 would keep (Steele et al. 2014, SplitMix64)
    bits = (bits ^ (bits >> 30)) * -0x40A7B892E31B1A47
    bits = bits ^ (bits >> 27)
    odd = torch.randint(2**62, (x.shape[1],), generator=torch.Generator().manual_seed(seed)) * 2 + 1
    return (bits * odd.to(x.device)).sum(1)


def first_of(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first index of each label, ascending, and the labels renumbered in that order."""
    n = len(labels)
    position = torch.arange(n, device=labels.device)
    first = torch.full((int(labels.max()) + 1,), n, device=labels.device, dtype=torch.long)
    first = first.scatter_reduce(0, labels, position, "amin")
    order = first.argsort()
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=labels.device)
    return first[order], rank[labels]


def _near_groups(x: Tensor) -> tuple[Tensor, Neighbours]:
    """Label (n,) the groups of duplicates among the rows of x (n, d), by the test at the top of the module.

    Returns:
        Labels, and the neighbours that the test looked at.
    """
    n = len(x)
    neighbours = nearest(x, min(SCALE_NEIGHBOURS, n - 1))
    near = near_pairs(neighbours)
    rows = torch.arange(n, device=x.device)[:, None].expand_as(near)[near]
    return components(n, rows, neighbours.indices[near]), neighbours


def near_pairs(neighbours: Neighbours, gather: Callable[[Tensor], Tensor] = lambda rows: rows) -> Tensor:
    """Tell, (n, K), which neighbours are duplicates.

    Args:
        neighbours: The K nearest of each row.
        gather: Collects values of all rows of a sample, where the neighbours are those of a part of its rows only.
    """
    limit = _limits(neighbours, gather)
    near = neighbours.distances.double() < limit[:, None]
    limits = gather(limit)
    return near & (neighbours.distances.double() < limits[neighbours.indices]) if bool(near.any()) else near


def find_copies(x: Tensor, known: Tensor) -> Tensor:
    """Tell which rows of x are duplicates of rows of another sample, each by itself, whatever the others are.

    The test is that of `merge_duplicates`, with the distances among the known rows.

    Args:
        x: Rows (n, d).
        known: Distinct rows (N, d).

    Returns:
        Booleans (n,).
    """
    limits = _limits(nearest(known, min(SCALE_NEIGHBOURS, len(known) - 1)), lambda rows: rows)
    found = knn(known, 1, query=x)
    return found.distances[:, 0].double() <= limits[found.indices[:, 0]]


def _limits(neighbours: Neighbours, gather: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the distance (n,) below which another row is a duplicate of each row; 0 where nothing tells it."""
    from scipy.special import digamma

    distances, indices = neighbours.distances.double(), neighbours.indices
    k = indices.shape[1]
    none = torch.zeros_like(distances[:, 0])
    if k < 4:  # nothing to compare a distance with
        return none
    half = k // 2
    outer = distances[:, -1]
    spread = gather((outer / distances[:, half - 1]).log())
    n = len(spread)
    usable = torch.isfinite(spread) & (spread > 0)
    if not bool(usable.any()):
        return none
    # ln(r_K / r_j) has mean (psi(K) - psi(j)) / m; the median is close to it and ignores groups of duplicates. Where
    # rows scatter in a tight core and a wide rest, the core's own median counts: the rest looks like more dimensions
    median = spread[usable].median()
    around = torch.where(usable, spread, median)[indices].median(1).values
    m = float(digamma(k) - digamma(half)) / torch.where(around > TIGHTER * median, around, median)
    # 1 - (1 - t^m)^(K-1) = p, solved for t
    p = FALSE_MERGES / n
    return outer * (math.log(-math.expm1(math.log1p(-p) / (k - 1))) / m).exp()


def components(n: int, rows: Tensor, columns: Tensor) -> Tensor:
    """Label (n,) the connected components of a graph on n nodes, whose edges go from rows to columns."""
    if len(rows) == 0:
        return torch.arange(n, device=rows.device)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = torch.ones(len(rows))
    graph = coo_array((ones.numpy(), (rows.cpu().numpy(), columns.cpu().numpy())), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    return torch.as_tensor(labels, device=rows.device, dtype=torch.long)
