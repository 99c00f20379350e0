"""Checks of the arguments that the neighbour ops share."""

from types import ModuleType
from typing import Literal, get_args

import torch
from torch import Tensor

Metric = Literal["euclidean", "chebyshev"]
"""Distances between points; "chebyshev" is the largest absolute difference of a coordinate."""

METRICS: tuple[Metric, ...] = get_args(Metric)  # in the order of csrc's enum Metric


def check_points(name: str, x: Tensor, ndims: tuple[int, ...]) -> None:
    """Raise unless x is a non-empty float32 or float64 tensor on CPU or CUDA with one of `ndims` dimensions."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(x).__name__}; use torch.as_tensor({name})")
    if x.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be float32 or float64, got {x.dtype}; convert it with {name}.float()")
    if x.ndim not in ndims:
        shapes = " or ".join("(b, n, d)" if ndim == 3 else "(n, d)" for ndim in ndims)
        raise ValueError(f"{name} must have shape {shapes}, got {tuple(x.shape)}")
    if x.device.type not in ("cpu", "cuda"):
        raise ValueError(f"{name} must be on the CPU or a CUDA device, got {x.device}; use {name}.cpu()")
    if x.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(x.shape)}")


def check_query(x: Tensor, query: Tensor | None) -> None:
    """Raise unless query is None or agrees with x in everything but the number of points."""
    if query is None:
        return
    check_points("query", query, (x.ndim,))
    if query.shape[:-2] != x.shape[:-2] or query.shape[-1] != x.shape[-1]:
        raise ValueError(
            f"query and x must agree in every size but the number of points, got {tuple(query.shape)} "
            f"and {tuple(x.shape)}"
        )
    if query.dtype != x.dtype or query.device != x.device:
        raise ValueError(
            f"query and x must share dtype and device, got {query.dtype} on {query.device} and {x.dtype} on {x.device}"
        )


def check_metric(metric: Metric) -> None:
    """Raise unless metric names one that the kernels know."""
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")


def check_k(k: int, n: int, self_query: bool) -> None:
    """Raise unless every point has k neighbours among n points."""
    limit = n - 1 if self_query else n
    if not 1 <= k <= limit:
        meaning = "n - 1, as no point is its own neighbour" if self_query else "n"
        raise ValueError(f"k must lie between 1 and {limit} ({meaning}; n = {n}), got {k}")


def check_finite(native: ModuleType, name: str, x: Tensor) -> None:
    """Raise if x, contiguous and on the CPU, holds NaN or inf."""
    d = x.shape[-1]
    bad = native.rows_not_finite(x.data_ptr(), x.numel() // d, d, x.dtype == torch.float64)
    if bad:
        raise ValueError(f"{name} holds NaN or inf in {bad} of its rows; remove or impute them first")
