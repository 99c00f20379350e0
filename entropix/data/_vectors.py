"""Flat feature vectors, rows of a table, in place of images: how they are recognised, checked and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

FEWEST_ROWS = 20  # rows: the neighbours of a code must be few of them
LARGEST = 1e9  # standard deviations; larger values are cut there, so that their squares remain finite


@dataclass(frozen=True)
class Standard:
    """Centre and spread (p,) of the features of training vectors."""

    centre: Tensor
    spread: Tensor

    @classmethod
    def fit(cls, x: Tensor) -> Standard:
        """Of vectors (n, p); a constant feature keeps its unit."""
        spread = x.std(0, correction=0)
        return cls(x.mean(0), torch.where(spread > 0, spread, 1))

    def apply(self, x: Tensor) -> Tensor:
        """Vectors (n, p) in these units."""
        return ((x - self.centre) / self.spread).clamp(-LARGEST, LARGEST)

    def undo(self, x: Tensor) -> Tensor:
        """Back to the units of the input."""
        return x * self.spread + self.centre


def are_vectors(data: Any) -> bool:
    """Whether `data` is a table (n, p) rather than images: anything of at most two dimensions, or a list of rows."""
    if isinstance(data, list | tuple):
        return bool(data) and not isinstance(data[0], str | PathLike) and np.ndim(data[0]) <= 1
    if hasattr(data, "ndim"):
        return data.ndim <= 2
    return hasattr(data, "__array__") and np.asarray(data).ndim <= 2


def check_vectors(estimator: Any, data: Any, *, reset: bool) -> Tensor:
    """Vectors (n, p) float64, after scikit-learn's checks; `reset`: note the features of `data`, else compare.

    Raises:
        ValueError, TypeError: sparse, complex, not finite, too few rows, one feature, other features than in `fit`.
    """
    from sklearn.utils.validation import validate_data

    if isinstance(data, Tensor):
        data = data.detach().cpu().numpy()
    x = validate_data(estimator, data, reset=reset, dtype=np.float64, ensure_min_features=2, ensure_min_samples=1)
    if reset and len(x) < FEWEST_ROWS:
        raise ValueError(f"n_samples = {len(x)}: {len(x)} sample(s); at least {FEWEST_ROWS} are needed")
    return torch.from_numpy(np.array(x))  # a copy: the input may be read-only
