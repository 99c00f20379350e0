"""Contributions to information from neighbour counts: the formulas behind `information`.

Each function takes blocks of variables (n, p_j), scaled, and gives (n,) contributions whose mean is the estimate in
nats.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import torch
from torch import Tensor


class Points(NamedTuple):
    """Blocks of variables (n, p_j), scaled, distances between points being the largest over all of them."""

    blocks: list[Tensor]
    radii: Tensor
    """(n,) distance to the k-th neighbour in the joint space."""
    neighbours: Tensor
    """(n, k) which they are."""

    @classmethod
    def of(cls, blocks: list[Tensor], k: int) -> Points:
        from entropix.ops import knn

        distances, neighbours = knn(torch.cat(blocks, -1), k, metric="chebyshev")
        return cls(blocks, distances[:, -1].contiguous(), neighbours)

    def counted(self, *which: int) -> Tensor:
        """Points strictly nearer than the radius in the named blocks together, (n,), the point itself left out."""
        return _count(torch.cat([self.blocks[j] for j in which], -1), self.radii)


def _count(x: Tensor, radii: Tensor) -> Tensor:
    from entropix.ops import count_within

    return count_within(x.contiguous(), radii, metric="chebyshev").double()


def _digamma(k: float) -> float:
    return float(torch.digamma(torch.tensor(float(k), dtype=torch.float64)))


def ksg1(blocks: list[Tensor], k: int) -> Tensor:
    points = Points.of(blocks, k)
    n, m = len(points.radii), len(points.blocks)
    counts = [points.counted(j) for j in range(m)]
    return _digamma(k) + (m - 1) * _digamma(n) - torch.stack([torch.digamma(c + 1) for c in counts]).sum(0)


def ksg2(blocks: list[Tensor], k: int) -> Tensor:
    points = Points.of(blocks, k)
    n, m = len(points.radii), len(points.blocks)
    local = torch.full_like(points.radii, _digamma(k) + (m - 1) * (_digamma(n) - 1 / k))
    for block in points.blocks:
        # each block has a radius of its own: the farthest of the k joint neighbours, itself counted
        radius = (block[:, None] - block[points.neighbours]).abs().amax((1, 2))
        local -= torch.digamma(_count(block, torch.nextafter(radius, torch.full_like(radius, torch.inf))))
    return local


def mixed(blocks: list[Tensor], k: int) -> Tensor:
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
    points = Points.of(blocks, k)
    with_x, with_y, alone = points.counted(0, 2), points.counted(1, 2), points.counted(2)
    return _digamma(k) - torch.digamma(with_x + 1) - torch.digamma(with_y + 1) + torch.digamma(alone + 1)


CONTROL_SAMPLES = 8
"""Simulated samples behind the control variate: each has about the variance of the estimate itself, so that they add an
eighth to it."""


def controlled(blocks: list[Tensor], k: int) -> Tensor:
    # the samples simulated below must not depend on which of the two is called x
    blocks = sorted(map(whiten_block, blocks), key=lambda block: (block.shape[1], float(block.pow(4).sum())))
    joint = torch.cat(blocks, -1)
    n, d = joint.shape
    p = blocks[0].shape[1]
    values, vectors = torch.linalg.eigh(joint.T @ joint / n)
    local = ksg1(blocks, k)
    if float(values[0]) < torch.finfo(torch.float64).eps ** 0.5:
        return local  # one determines the other linearly: no normal sample with a density is like it

    def information(rows: Tensor) -> Tensor:
        """ln p(x, y) - ln p(x) - ln p(y) under the normal with these correlations; blocks are white."""
        white = (rows @ vectors).square() / values
        return 0.5 * (rows.square() - white).sum(1) - 0.5 * values.log().sum()

    generator = torch.Generator().manual_seed(0)
    error = 0.0
    for _ in range(CONTROL_SAMPLES):
        noise = torch.randn((n, d), generator=generator, dtype=torch.float64).to(joint.device)
        normal = noise @ (vectors * values.sqrt()) @ vectors.T
        seen = ksg1([normal[:, :p].contiguous(), normal[:, p:].contiguous()], k)
        error += float((seen - information(normal)).mean()) / CONTROL_SAMPLES
    # what is subtracted follows the sample's correlations; its share of the normal's information passes that on
    linear = information(joint)
    share = error / max(float(linear.mean()), abs(error), torch.finfo(torch.float64).tiny)
    return local - error - share * (linear - linear.mean())


def whiten_block(x: Tensor) -> Tensor:
    """x (n, p), centred, with the identity for covariance; directions without variation stay as they are."""
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    floor = values[-1] * len(values) * torch.finfo(x.dtype).eps
    scale = torch.where(values > floor, values, 1.0).rsqrt()
    return (x - x.mean(0)) @ (vectors * scale) @ vectors.T
