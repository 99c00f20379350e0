"""Contributions to mutual information from neighbour counts: the formulas behind `mutual_information` and its like.

Each function takes blocks of variables (n, p_j), scaled, and gives (n,) contributions whose mean is the estimate in
nats.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import torch
from torch import Tensor

from entropix.ops import count_within, knn


class Points(NamedTuple):
    """Points in the joint space of several blocks of variables; their distances are the largest over the blocks.

    Attributes:
        blocks: Blocks (n, p_j), scaled.
        radii: Distance (n,) of each point to its k-th neighbour.
        neighbours: Indices (n, k) of the neighbours.
    """

    blocks: list[Tensor]
    radii: Tensor
    neighbours: Tensor

    @classmethod
    def of(cls, blocks: list[Tensor], k: int) -> Points:
        """Search for the k nearest neighbours of every point."""
        distances, neighbours = knn(torch.cat(blocks, -1), k, metric="chebyshev")
        return cls(blocks, distances[:, -1].contiguous(), neighbours)

    def counted(self, *which: int) -> Tensor:
        """Count the points that are strictly nearer than the radius in the named blocks together, each without itself.

        Returns:
            Counts (n,).
        """
        return _count(torch.cat([self.blocks[j] for j in which], -1), self.radii)


def _count(x: Tensor, radii: Tensor) -> Tensor:
    return count_within(x.contiguous(), radii, metric="chebyshev").double()


def _digamma(k: float) -> float:
    return float(torch.digamma(torch.tensor(float(k), dtype=torch.float64)))


def ksg1(blocks: list[Tensor], k: int) -> Tensor:
    """Apply estimator 1 (Kraskov, Stogbauer and Grassberger 2004, eq. 8; more than two blocks: eq. 23)."""
    points = Points.of(blocks, k)
    n, m = len(points.radii), len(points.blocks)
    counts = [points.counted(j) for j in range(m)]
    return _digamma(k) + (m - 1) * _digamma(n) - torch.stack([torch.digamma(c + 1) for c in counts]).sum(0)


def ksg1_at(blocks: list[Tensor], rows: Tensor, seen_at: dict[int, int]) -> list[Tensor]:
    """Apply estimator 1 at some of the rows, with several numbers of neighbours in one search.

    Args:
        blocks: Blocks (n, p_j), scaled.
        rows: Indices of the rows.
        seen_at: By number of neighbours, at how many of the rows, from the first on.

    Returns:
        For each number of neighbours contributions (seen_at[k],).
    """
    at = [block[rows].contiguous() for block in blocks]
    # the nearest is the row itself, and it is counted below
    distances = knn(torch.cat(blocks, -1), max(seen_at) + 1, query=torch.cat(at, -1), metric="chebyshev").distances
    radii = torch.cat([distances[:some, k] for k, some in seen_at.items()])
    both = torch.zeros(len(radii), dtype=torch.float64, device=radii.device)
    for block, centres in zip(blocks, at, strict=True):
        query = torch.cat([centres[:some] for some in seen_at.values()])
        both += torch.digamma(count_within(block, radii, query=query, metric="chebyshev").double().clamp(min=1))
    n_term = (len(blocks) - 1) * _digamma(len(blocks[0]))
    each = both.split(list(seen_at.values()))
    return [_digamma(k) + n_term - counted for k, counted in zip(seen_at, each, strict=True)]


def ksg2(blocks: list[Tensor], k: int) -> Tensor:
    """Apply estimator 2, with a radius for each block (Kraskov, Stogbauer and Grassberger 2004, eq. 9)."""
    points = Points.of(blocks, k)
    n, m = len(points.radii), len(points.blocks)
    local = torch.full_like(points.radii, _digamma(k) + (m - 1) * (_digamma(n) - 1 / k))
    for block in points.blocks:
        # each block has a radius of its own: the farthest of the k joint neighbours, itself counted
        radius = (block[:, None] - block[points.neighbours]).abs().amax((1, 2))
        local -= torch.digamma(_count(block, torch.nextafter(radius, torch.full_like(radius, torch.inf))))
    return local


def mixed(blocks: list[Tensor], k: int) -> Tensor:
    """Apply the estimator for two blocks of discrete, continuous or mixed variables (Gao et al. 2017)."""
    points = Points.of(blocks, k)
    n = len(points.radii)
    tied = points.radii == 0
    # where the k-th neighbour is a tie, all ties are neighbours, and counts are of equal values
    radii = torch.where(tied, torch.finfo(torch.float64).tiny, points.radii)
    joint = _count(torch.cat(points.blocks, -1), radii) + 1
    neighbours = torch.where(tied, joint, float(k))
    counts = [_count(block, radii) + 1 for block in points.blocks]
    return torch.digamma(neighbours) + log(n) - torch.digamma(counts[0]) - torch.digamma(counts[1])


def frenzel_pompe(blocks: list[Tensor], k: int) -> Tensor:
    """Apply the estimator of I(X; Y | Z) to the blocks x, y and z (Frenzel and Pompe 2007, eq. 7)."""
    points = Points.of(blocks, k)
    with_x, with_y, alone = points.counted(0, 2), points.counted(1, 2), points.counted(2)
    return _digamma(k) - torch.digamma(with_x + 1) - torch.digamma(with_y + 1) + torch.digamma(alone + 1)


def whiten_block(x: Tensor) -> Tensor:
    """Centre x (n, p) and make its covariance the identity; directions without variation stay as they are."""
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    floor = values[-1] * len(values) * torch.finfo(x.dtype).eps
    scale = torch.where(values > floor, values, 1.0).rsqrt()
    white: Tensor = (x - x.mean(0)) @ (vectors * scale) @ vectors.T
    return white


def class_information(x: Tensor, labels: Tensor, k: int) -> Tensor:
    """Apply the estimator for a continuous x (n, p) and classes (n,), with neighbours in the same class (Ross 2014)."""
    n = len(x)
    local = torch.full((n,), _digamma(n), dtype=torch.float64, device=x.device)
    for label in labels.unique():
        rows = (labels == label).nonzero()[:, 0]
        own = x[rows].contiguous()
        k_here = min(k, len(rows) - 1)
        if k_here < 1:
            raise ValueError(f"a class has {len(rows)} row; each needs two or more, to look for neighbours within it")
        radii = knn(own, k_here, metric="chebyshev").distances[:, -1]
        radii = torch.nextafter(radii, torch.full_like(radii, torch.inf))  # the k-th neighbour is counted, the row too
        seen = count_within(x.contiguous(), radii.contiguous(), query=own, metric="chebyshev").double() - 1
        local[rows] += _digamma(k_here) - _digamma(len(rows)) - torch.digamma(seen.clamp(min=1))
    return local
