"""Flat feature vectors, rows of a table, in place of images: how they are recognised, checked and scaled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from entropix._utils import plain
from entropix.data._arrays import to_numpy

FEWEST_ROWS = 10  # of which two are held out, and the five neighbours of a code are most of the others
ROUNDING = 2.0**-48  # of a feature whose largest value is about 1: sixteen errors of float64
LONGEST_REASON = 600  # characters
_TEXT = "could not convert string"  # as NumPy says it
LARGEST = 1e9  # standard deviations; values beyond are cut to it, so that their squares remain finite


@dataclass(frozen=True)
class Standard:
    """The scaling of vectors: centre and spread of the features of training vectors.

    Attributes:
        centre: (p,) means.
        spread: (p,) standard deviations, 1 for a constant feature.
    """

    centre: Tensor
    spread: Tensor

    @classmethod
    def fit(cls, x: Tensor) -> Standard:
        """Measure centre and spread of vectors x (n, p); a feature that is constant up to rounding keeps its unit."""
        # in units of powers of two, which change no digit, squares neither overflow nor vanish
        unit = torch.ldexp(x.new_ones(x.shape[1]), torch.frexp(x.abs().amax(0)).exponent - 1)
        scaled = x / unit
        varies = scaled.amax(0) - scaled.amin(0) > ROUNDING
        return cls(scaled.mean(0) * unit, torch.where(varies, scaled.std(0, correction=0) * unit, 1))

    def apply(self, x: Tensor) -> Tensor:
        """Return vectors x (n, p) in these units."""
        return ((x - self.centre) / self.spread).clamp(-LARGEST, LARGEST)

    def undo(self, x: Tensor) -> Tensor:
        """Return vectors x (n, p) in the units of the input again."""
        return x * self.spread + self.centre


def are_vectors(data: Any) -> bool:
    """Return whether `data` is a table (n, p), not images: anything of at most two dimensions, or a list of rows."""
    data = _unmasked(data)
    if isinstance(data, list | tuple):
        return bool(data) and not isinstance(data[0], str | PathLike) and np.ndim(data[0]) <= 1
    if hasattr(data, "ndim"):
        return data.ndim <= 2
    return hasattr(data, "__array__") and np.asarray(data).ndim <= 2


def _unmasked(data: Any) -> Any:
    """Return a table as `plain` does, also one that is a list of rows."""
    data = plain(data)
    return [plain(row) for row in data] if isinstance(data, list | tuple) else data


def check_vectors(estimator: Any, data: Any, *, reset: bool) -> Tensor:
    """Return vectors (n, p) float64, after scikit-learn's checks.

    Args:
        estimator: remembers the features.
        data: a table.
        reset: let the estimator remember the features of `data`, instead of comparing them with those it remembers.

    Raises:
        ValueError, TypeError: sparse, complex, not finite, too few rows, other features than in `fit`.
    """
    from sklearn.utils.validation import validate_data

    data = _unmasked(data)
    if isinstance(data, Tensor):
        data = to_numpy(data)
    kinds = [getattr(one, "kind", "") for one in (getattr(data, "dtype", None), *getattr(data, "dtypes", ()))]
    if "M" in kinds or "m" in kinds:  # which would become nanoseconds
        raise TypeError("dates or durations as features; give numbers, such as days since the first one")
    try:
        x = validate_data(estimator, data, reset=reset, dtype=np.float64, ensure_min_samples=1)
    except (TypeError, ValueError) as error:
        told = re.sub(r"(?s)\s*(array=|\[\[).*?(?=Reshape|$)", " ", str(error))  # the values themselves
        told = " ".join(told.split())[:LONGEST_REASON]
        hint = ". For images give their paths alone: a list, or one column, table['path']" if _TEXT in told else ""
        raise type(error)(f"{told.rstrip('.')}; expected vectors: a table (n, p) of finite numbers{hint}") from None
    if reset and len(x) < FEWEST_ROWS:
        came = f"n_samples = {len(x)}, n_features = {x.shape[1]}: {len(x)} sample(s)"
        raise ValueError(f"{came}; at least {FEWEST_ROWS} are needed")
    return torch.from_numpy(np.array(x))  # a copy: the input may be read-only
