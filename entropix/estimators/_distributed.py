"""Entropy of a sample whose rows lie in several processes, on one machine or on many (`torch.distributed`).

Every process holds some of the rows and makes the same call; all of them get the same result, the one that
`entropix.entropy` has for all the rows in the order of the ranks, up to rounding. A process never holds more rows than
its own and those of one other: shards are broadcast one after the other, and each process looks up the neighbours of
its own rows among them and keeps the nearest of all.

Cost for n rows in d dimensions on p processes: each takes n^2 d / p differences, receives n d numbers (twice if there
are duplicates), and holds 2 n d / p numbers of rows, 20 neighbours of n / p rows, and what is known of all rows, about
10 n numbers.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._dependent_rows import as_groups, group_labels
from entropix.estimators._dimension import DEFAULT_NEIGHBOURS
from entropix.estimators._duplicates import SCALE_NEIGHBOURS, components, first_of, lattice_step, near_pairs, row_hashes
from entropix.estimators._entropy import Contributions, on_manifold
from entropix.estimators._inputs import (
    Samples,
    as_samples,
    check_base,
    check_dimension,
    check_method,
    check_neighbours,
    tell,
)
from entropix.estimators._kozachenko_leonenko import LogRadii, averaging_noise, kl_local
from entropix.estimators._results import Entropy, averaged
from entropix.estimators._subspace import numerical_rank
from entropix.ops import Neighbours, knn

DistributedMethod = Literal["kl", "manifold"]
"""Methods of `distributed_entropy`: those of `entropy` that don't fit maps to all rows at once."""


def distributed_entropy(
    x: ArrayLike | Tensor,
    k: int = 5,
    *,
    method: DistributedMethod = "kl",
    base: float | None = None,
    dimension: float | None = None,
    groups: ArrayLike | None = None,
    group: dist.ProcessGroup | None = None,
) -> Entropy:
    """Estimate the differential entropy of the density that the rows of all processes were drawn from.

    Errors of one process are raised in all of them.

    Args:
        x: Rows (n, d) of this process, at least one; n may differ between processes. An array, or a tensor without
            gradient on the device of the group's backend (gloo: CPU, nccl: CUDA).
        k: Number of neighbours.
        method: "kl" or "manifold" of `entropix.entropy`; its other methods fit maps to all rows at once.
        base: Base of the logarithm; None: nats.
        dimension: For "manifold", the intrinsic dimension m, which is then not estimated.
        groups: Patient, series or subject (n,) that each row of this process belongs to, numbers or strings that mean
            the same in all processes: rows of one group may depend on one another.
        group: The processes that take part; None: all.

    Returns:
        The same `Entropy` in every process, that of the rows of all processes.

    Raises:
        RuntimeError: `torch.distributed` is not initialised.
        TypeError: Complex, boolean or non-numeric values, or a k that is no whole number.
        ValueError: What `entropix.entropy` refuses; a batch or a gradient; processes that differ in d, type or
            options; or quantised data, some rows of which coincide: add uniform noise as wide as the lattice's step.
    """
    if not dist.is_initialized():
        raise RuntimeError("torch.distributed is not initialised; call torch.distributed.init_process_group first")
    rows, clusters = _agree(x, k, method, base, dimension, groups, group)
    shards = _Shards(rows, group)
    check_neighbours(k, shards.n, distinct=False)
    distinct, known, keep, notes = _merge_duplicates(shards)
    check_neighbours(k, distinct.n)
    clusters = None if clusters is None else clusters[keep]
    if method == "kl" and (rank := _rank(distinct)) < shards.d:
        raise ValueError(
            f"{distinct.n} distinct rows span {rank} of {shards.d} dimensions: there is no density in {shards.d} "
            "dimensions for 'kl'; use 'manifold'"
        )
    most = min(k if method == "kl" else max(k, DEFAULT_NEIGHBOURS["mle"]), distinct.n - 1)
    if known is None or known.distances.shape[1] < most:
        known = distinct.neighbours(most)
    radii = distinct.gather(known.distances[:, :most].double()).log()
    found = (
        Contributions(kl_local(radii[:, k - 1], k, shards.d), float(shards.d), method)
        if method == "kl"
        else on_manifold(LogRadii(radii, radii[:, k - 1]), k, dimension, clusters)
    )
    rows = torch.empty(shards.n)  # only their number is used
    fields = averaged(
        found.points,
        rows,
        Samples(rows, batched=False, numpy=False),
        base,
        local=False,
        noise=averaging_noise(k),
        model_stderr=found.model_stderr,
        clusters=clusters,
        notes=tuple(notes),
    )
    tell(list(fields["warnings"]))
    return Entropy(**fields, k=k, method=found.method, dimension=found.dimension)


class _Shards:
    """Rows of all processes, of which this process holds x (n, d)."""

    def __init__(self, x: Tensor, group: dist.ProcessGroup | None) -> None:
        self.x, self.group = x, group
        self.rank, processes = dist.get_rank(group), dist.get_world_size(group)
        sizes = [torch.zeros(1, dtype=torch.int64, device=x.device) for _ in range(processes)]
        dist.all_gather(sizes, torch.full_like(sizes[0], len(x)), group=group)
        self.sizes = [int(size) for size in sizes]
        self.n, self.d = sum(self.sizes), x.shape[1]
        self.first = sum(self.sizes[: self.rank])

    def gather(self, local: Tensor) -> Tensor:
        """Collect for all rows what every process knows of its own.

        Args:
            local: Values of the rows of this process, one of the first axis for each.

        Returns:
            The values of all rows, in the order of the processes.
        """
        parts = [local.new_empty(size, *local.shape[1:]) for size in self.sizes]
        for owner, part in enumerate(parts):
            parts[owner] = self._broadcast(local.contiguous() if owner == self.rank else part, owner)
        return torch.cat(parts)

    def kept(self, mask: Tensor) -> _Shards:
        """Select the rows that a mask over the rows of all processes names."""
        return _Shards(self.x[mask[self.first :][: len(self.x)]], self.group)

    def neighbours(self, k: int) -> Neighbours:
        """Search among all rows for the k nearest to each row of this process; indices count all rows."""
        found, start = [], 0
        for owner, size in enumerate(self.sizes):
            own = owner == self.rank
            shard = self._broadcast(self.x.contiguous() if own else self.x.new_empty(size, self.d), owner)
            among = min(k, size - own)
            if among > 0 and len(self.x):
                near = knn(shard, among, query=None if own else self.x)
                found.append(Neighbours(near.distances, near.indices + start))
            start += size
        if not found:
            return Neighbours(self.x.new_empty(0, k), torch.empty(0, k, dtype=torch.int64, device=self.x.device))
        distances, indices = (torch.cat(parts, 1) for parts in zip(*found, strict=True))
        distances, order = distances.sort(dim=1, stable=True)  # equally near rows stay in the order of their indices
        return Neighbours(distances[:, :k], indices.gather(1, order)[:, :k])

    def _broadcast(self, x: Tensor, owner: int) -> Tensor:
        if len(x):
            dist.broadcast(x, dist.get_global_rank(self.group, owner) if self.group else owner, group=self.group)
        return x


def _agree(
    x: ArrayLike | Tensor,
    k: int,
    method: DistributedMethod,
    base: float | None,
    dimension: float | None,
    groups: ArrayLike | None,
    group: dist.ProcessGroup | None,
) -> tuple[Tensor, Tensor | None]:
    """Return the rows (n, d) of this process and the groups of all processes' rows, numbered.

    Raises what is wrong in one process in all of them, and that what they gave doesn't go together.
    """
    problem, rows, labels = None, torch.empty(0, 0), None
    try:
        check_method(method, get_args(DistributedMethod))
        check_base(base)
        check_dimension(dimension, method)
        samples = as_samples(x)
        if samples.batched or samples.x.requires_grad:
            raise ValueError(f"x has shape {tuple(samples.x.shape)}; expected rows (n, d) without gradient")
        rows = samples.x[0]
        labels = None if groups is None else group_labels(groups, len(rows))
    except (TypeError, ValueError) as error:
        problem = error
    facts = (rows.shape[1], str(rows.dtype), k, method, base, dimension, None if labels is None else labels.dtype.kind)
    known: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(known, (problem, facts, labels), group=group)
    for rank, (problem, _, _) in enumerate(known):
        if problem is not None:
            raise type(problem)(f"process {rank}: {problem}")
    for rank, (_, others, _) in enumerate(known):
        if others != known[0][1]:
            raise ValueError(
                f"process {rank} has d, type, k, method, base, dimension and kind of groups {others}, process 0 "
                f"{known[0][1]}; expected the same in all"
            )
    if labels is None:
        return rows, None
    everywhere = np.concatenate([each for _, _, each in known])
    return rows, as_groups(everywhere, len(everywhere), rows.device)


def _merge_duplicates(shards: _Shards) -> tuple[_Shards, Neighbours | None, Tensor, list[str]]:
    """Merge duplicates, by the test of `merge_duplicates`.

    Returns:
        The distinct rows, their neighbours if they are known, their positions among all rows, and warnings to issue.
    """
    hashes = shards.gather(torch.stack([row_hashes(shards.x, seed) for seed in range(2)], 1))  # 128 bits: no accidents
    keep = first_of(torch.unique(hashes, dim=0, return_inverse=True)[1])[0]
    distinct = shards
    if len(keep) < shards.n:
        distinct = shards.kept(_mask(keep, shards.n))
        if distinct.n > 2 and _on_lattice(distinct):
            raise ValueError(
                f"{shards.n - distinct.n} of {shards.n} rows coincide with others and all columns lie on a lattice: "
                "the data is quantised; add uniform noise as wide as the lattice's step to it first"
            )
    known = None
    if distinct.n > 2:
        known = distinct.neighbours(min(SCALE_NEIGHBOURS, distinct.n - 1))
        near = near_pairs(known, distinct.gather)
        own = torch.arange(distinct.first, distinct.first + len(near), device=near.device)
        edges = torch.stack([own[:, None].expand_as(near)[near], known.indices[near]], 1)
        edges = _all(edges, shards)
        if len(edges):
            first = first_of(components(distinct.n, edges[:, 0], edges[:, 1]))[0]
            distinct, known, keep = distinct.kept(_mask(first, distinct.n)), None, keep[first]
    merged = shards.n - distinct.n
    notes = [f"{merged} of {shards.n} rows are copies of others and were merged: {distinct.n} distinct rows remain"]
    return distinct, known, keep, notes if merged else []


def _mask(keep: Tensor, n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.bool, device=keep.device).index_fill_(0, keep, True)


def _on_lattice(shards: _Shards) -> bool:
    """Tell whether the values of each column, of which some may be constant, are multiples of a step."""
    for column in shards.x.T:
        values = shards.gather(column)
        # zeros and ones beside it, since a constant column has no step of its own
        if lattice_step(torch.stack([values, (torch.arange(len(values)) % 2).to(values)], 1)) is None:
            return False
    return True


def _rank(shards: _Shards) -> int:
    """Return `spanned_dimensions` of all rows.

    The triangular factors of the parts, one below the other, have the same singular values as the rows.
    """
    n, eps, rows = shards.n, torch.finfo(shards.x.dtype).eps, shards.x.double()
    mean = _all(rows.sum(0)[None], shards).sum(0) / n
    largest = _all(torch.cat([rows.abs(), torch.zeros_like(mean)[None]]).amax(0)[None], shards).amax(0)
    factors = _all(torch.linalg.qr(rows - mean, mode="r")[1], shards)
    deviation = factors.norm(dim=0) / (n - 1) ** 0.5
    varying = deviation > 4 * eps * largest
    if n <= int(varying.sum()) or not bool(varying.any()):
        return min(n - 1, int(varying.sum()))
    return numerical_rank(factors[:, varying] / deviation[varying], max(n, shards.d) * eps)


def _all(x: Tensor, shards: _Shards) -> Tensor:
    """Collect the rows (j, ...) of x of every process, one below the other; j may differ between processes."""
    return _Shards(x, shards.group).gather(x)
