"""Checks of input that all estimators share, and the warnings that they issue."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from entropix.exceptions import EstimatorWarning


@dataclass(frozen=True)
class Samples:
    """Checked samples.

    Attributes:
        x: Samples (b, n, d), a floating-point tensor on the caller's device.
        batched: Whether the input was a batch, whose results go back as a list.
        numpy: Whether the input was no tensor, so that local values go back as arrays.
    """

    x: Tensor
    batched: bool
    numpy: bool

    def give_back(self, local: Tensor) -> NDArray[Any] | Tensor:
        """Return values per point in the caller's kind: a tensor of the same dtype and device, or a NumPy array."""
        local = local.to(self.x.dtype)
        if self.numpy:
            values: NDArray[Any] = local.detach().cpu().numpy()
            return values
        return local


def as_samples(x: ArrayLike | Tensor, name: str = "x") -> Samples:
    """Read samples (n,), (n, d) or (b, n, d) from a tensor or anything NumPy understands.

    float32 and float64 keep their precision; every other real type becomes float64, so that nothing is rounded.

    Args:
        x: The samples.
        name: What messages call them.

    Raises:
        TypeError: Complex, boolean or non-numeric values.
        ValueError: Another number of axes, an empty axis, or NaN or infinity.
    """
    numpy = not isinstance(x, Tensor)
    if not isinstance(x, Tensor):
        array = _as_array(x, name)
        if array.dtype.kind not in "iuf":
            raise TypeError(f"{name} holds {array.dtype} values; expected real numbers")
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
        array = np.require(array, dtype=array.dtype.newbyteorder("="), requirements=("C", "W"))
        x = torch.from_numpy(array)
    elif x.is_complex() or x.dtype == torch.bool:
        raise TypeError(f"{name} holds {x.dtype} values; expected real numbers")
    elif x.dtype not in (torch.float32, torch.float64):
        x = x.to(torch.float64)
    if x.dim() == 1:
        x = x[:, None]
    if x.dim() not in (2, 3):
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (n,), (n, d) or (batch, n, d)")
    if 0 in x.shape:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; an empty axis leaves nothing to estimate from")
    if not bool(torch.isfinite(x).all()):
        bad = int((~torch.isfinite(x)).any(-1).sum())
        raise ValueError(f"{name} holds NaN or infinite values in {bad} rows; remove or impute them first")
    return Samples(x if x.dim() == 3 else x[None], batched=x.dim() == 3, numpy=numpy)


def unit_of(x: Tensor) -> float:
    """Return a power of 2 to divide x by before its values are squared: 1, unless those squares are beyond float64."""
    largest = float(x.detach().abs().max())
    return 1.0 if largest == 0 or 1e-100 < largest < 1e100 else 2.0 ** round(math.log2(largest))


def unmasked(x: Any, name: str) -> NDArray[Any]:
    """Return x as an array.

    Raises:
        TypeError: Masked values, which would silently be used.
    """
    masked = [part for part in (x if isinstance(x, (list, tuple)) else [x]) if isinstance(part, np.ma.MaskedArray)]
    if any(bool(np.ma.getmaskarray(part).any()) for part in masked):
        raise TypeError(f"{name} is a masked array: what lies under the mask would be used; pass complete rows only")
    return np.asarray(x)


def _as_array(x: ArrayLike, name: str) -> NDArray[Any]:
    """Read anything that NumPy understands, but nothing that it would silently change."""
    array = unmasked(x, name)
    to_numpy = getattr(x, "to_numpy", None)
    if array.dtype == object and to_numpy is not None:  # pandas' nullable numbers
        try:
            array = to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            raise TypeError(f"{name} holds values that are no numbers") from None
    return array


def check_neighbours(k: int, n: int, *, distinct: bool = True) -> None:
    """Raise TypeError unless k is a whole number, ValueError unless 1 <= k < n.

    Args:
        k: Number of neighbours.
        n: Number of points.
        distinct: Whether duplicates among the points were merged, for the message.
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
        raise TypeError(f"k is {k!r}; expected a whole number of neighbours")
    if k < 1:
        raise ValueError(f"k is {k}; expected at least one neighbour")
    if k >= n:
        kind = "distinct points" if distinct else "points"
        raise ValueError(
            f"k = {k} neighbours need more than {k} {kind}, but there are {n}; give more samples or less k"
        )


def check_method(method: str, methods: Collection[str]) -> None:
    """Raise ValueError unless `method` is one of them."""
    if method not in methods:
        raise ValueError(f"method is {method!r}; expected one of {', '.join(methods)}")


def check_base(base: float | None) -> None:
    """Raise ValueError unless there are logarithms to `base`; None: natural ones."""
    if base is not None and not (base > 0 and base != 1):
        raise ValueError(f"base is {base}; expected a positive number other than 1, or None for nats")


def check_dimension(dimension: float | None, method: str) -> None:
    """Raise ValueError for an intrinsic dimension that is not positive, or of a method without one."""
    if dimension is not None and (method != "manifold" or dimension <= 0):
        raise ValueError(f"dimension = {dimension} with method {method!r}: it sets a positive m for 'manifold'")


def tell(messages: list[str], stacklevel: int = 3) -> None:
    """Issue each message once as an EstimatorWarning that points at the caller of the public function."""
    for message in dict.fromkeys(messages):
        warnings.warn(message, EstimatorWarning, stacklevel=stacklevel)
