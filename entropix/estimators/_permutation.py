"""Permutation tests: how often independent data of the same margins gives as much information."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Shuffle = Literal["rows", "within", "between"]
"""What is exchangeable if x and y are independent: rows, rows of one group, or whole groups."""


def permutation_p_value(
    statistic: Callable[[Tensor], float],
    n: int,
    permutations: int,
    clusters: Tensor | None,
    shuffle: Shuffle | None,
) -> float:
    """Return the share of orders of y whose statistic is as large, the one given among them (Phipson and Smyth 2010).

    Args:
        statistic: Information, given the order (n,) in which rows of y are put beside those of x.
        n: Number of rows.
        permutations: Number of random orders.
        clusters: Group (n,) of each row, or None.
        shuffle: What to exchange; None: rows, or with groups whole groups.

    Raises:
        ValueError: Whole groups that are not of one size, groups that are needed and not given, or no permutations.
    """
    shuffle = shuffle or ("rows" if clusters is None else "between")
    if permutations < 1:
        raise ValueError(f"permutations is {permutations}; expected a positive number, such as 999")
    if shuffle != "rows" and clusters is None:
        raise ValueError(f"shuffle = {shuffle!r} exchanges rows or groups of groups=, which are not given")
    rng = np.random.default_rng(0)
    rows = np.arange(n)
    members = [] if clusters is None else [rows[clusters.cpu().numpy() == c] for c in np.unique(clusters.cpu().numpy())]
    if shuffle == "between" and len({len(own) for own in members}) > 1:
        raise ValueError(
            "groups have different sizes (copies are left out), so that they cannot be exchanged for one another; "
            "use shuffle='within', which asks for dependence among the rows of a group"
        )

    def order() -> Tensor:
        if shuffle == "rows":
            return torch.from_numpy(rng.permutation(n))
        new = np.empty(n, dtype=np.int64)
        others = members if shuffle == "within" else [members[j] for j in rng.permutation(len(members))]
        for own, other in zip(members, others, strict=True):
            new[own] = rng.permutation(other) if shuffle == "within" else other
        return torch.from_numpy(new)

    seen = statistic(torch.from_numpy(rows))
    above = sum(statistic(order()) >= seen for _ in range(permutations))
    return (1 + above) / (1 + permutations)
