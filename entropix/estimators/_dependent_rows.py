"""Rows that are not independent: groups (patients, series, subjects), and dependence that shows without them.

The variance of a mean is that of independent groups of rows, not of rows: the sums of the contributions' deviations
over groups are independent (Liang and Zeger 1986). With few groups a t distribution stands
for the normal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from entropix.estimators._inputs import unmasked

ALARM = 0.003
"""Probability with which independent rows have means of blocks, of one size, that vary enough for a warning."""
LEAST_BLOCKS = 16
"""Blocks that a variance takes."""


def as_groups(groups: ArrayLike | None, n: int, device: torch.device, name: str = "groups") -> Tensor | None:
    """Number the groups (n,) of the rows of a sample.

    Raises:
        ValueError: Another length, or fewer than two groups.
    """
    if groups is None:
        return None
    _, numbers = np.unique(group_labels(groups, n, name), return_inverse=True)
    if numbers.max() == 0:
        raise ValueError(f"{name} holds one group; two or more are needed to see how much groups differ")
    return torch.from_numpy(numbers).to(device)


def group_labels(groups: ArrayLike, n: int, name: str = "groups") -> NDArray[Any]:
    """Return the labels (n,) of the rows' groups as numbers or strings.

    Raises:
        TypeError: Masked labels.
        ValueError: Another length.
    """
    labels = unmasked(groups, name)
    if labels.shape != (n,):
        raise ValueError(f"{name} has shape {labels.shape}; expected one label for each of {n} rows")
    return labels.astype(str) if labels.dtype == object else labels


def variance_of_mean(points: Tensor, clusters: Tensor | None) -> tuple[float, float]:
    """Return the variance of the mean of points (n,), and the standard errors that an interval of 95 % reaches.

    Args:
        points: Contributions (n,).
        clusters: Number (n,) of the group of each; None: rows are taken as independent.
    """
    if clusters is None:
        return float(points.var()) / len(points), 1.96
    return clustered_variance(points, clusters)


def clustered_variance(points: Tensor, clusters: Tensor) -> tuple[float, float]:
    """Return the variance of the mean of points (n,), and the quantile by which an interval of 95 % reaches.

    Args:
        points: Contributions (n,).
        clusters: Number (n,) of the group of each.
    """
    from scipy.stats import t

    sizes = torch.bincount(clusters).double()
    deviation = (points - points.mean()).double()
    sums = torch.zeros_like(sizes).index_add(0, clusters, deviation)
    count = int((sizes > 0).sum())
    # groups decide the densities at their rows too, which takes one degree of freedom more than a mean does
    variance = float(sums.square().sum()) * count / max(count - 2, 1) / len(points) ** 2
    # a variance of few skewed sums is itself uncertain, as its kurtosis says (Satterthwaite 1946)
    kurtosis = count * float(sums.pow(4).sum()) / max(float(sums.square().sum()) ** 2, 1e-300)
    freedom = min(max(2 * count / max(kurtosis - 1, 0.1), 2.0), count - 1.0)
    return variance, float(t.ppf(0.975, max(freedom, 1.0)))


def serial_dependence(points: Tensor) -> tuple[str, ...]:
    """Return a warning if contributions (n,) of rows that follow one another are alike, as those of one group are.

    Means over blocks of rows then vary more than those of independent rows.
    """
    from scipy.stats import chi2

    # equal contributions share a rank: their order would be that of the rows
    _, place, counts = torch.unique(points.detach(), return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0) - (counts.double() - 1) / 2)[place]
    n, size, inflation = len(ranks), 2, 1.0
    while n // size >= LEAST_BLOCKS:
        blocks = ranks[: n // size * size].view(-1, size).mean(1)
        ratio = float(blocks.var() / ranks.var()) * size
        if ratio * (len(blocks) - 1) > chi2.isf(ALARM, len(blocks) - 1):
            inflation = max(inflation, ratio)
        size *= 2
    if inflation == 1.0:
        return ()
    return (
        "rows that follow one another are alike, which independent rows are not unless they were sorted: the standard "
        f"error is too small, by a factor of {inflation**0.5:.1f} or more; give groups= (patient, series, subject)",
    )
