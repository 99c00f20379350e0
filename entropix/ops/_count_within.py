"""Numbers of neighbours within given radii: the second half of nearest-neighbour mutual information."""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from entropix import _native
from entropix.ops._checks import METRICS, Metric, check_finite, check_metric, check_points, check_query
from entropix.ops._register import register

__all__ = ["count_within"]


def count_within(x: Tensor, radii: Tensor, query: Tensor | None = None, metric: Metric = "euclidean") -> Tensor:
    """Count, for every point of `query`, the points of `x` that are strictly nearer than its radius.

    Distances are those that `knn` returns, rounded to the dtype of `x` in the same way: a radius taken from `knn` does
    not count the neighbour it belongs to.

    Args:
        x: Points (n, d), float32 or float64, on the CPU or a CUDA device.
        radii: One radius per query point, (m,), in the dtype of `x`.
        query: Points to count around, (m, d). None: the points themselves, each without itself.
        metric: "euclidean" or "chebyshev" (largest absolute difference of a coordinate).

    Returns:
        Counts (m,), int64. Not differentiable.

    Raises:
        TypeError: Wrong type or dtype.
        ValueError: Wrong shape, metric or device, or NaN or infinity in the points (checked on the CPU only).
        RuntimeError: The native module is not usable.
    """
    check_points("x", x, (2,))
    check_query(x, query)
    check_metric(metric)
    m = x.shape[0] if query is None else query.shape[0]
    if not isinstance(radii, Tensor) or radii.dtype != x.dtype:
        got = getattr(radii, "dtype", type(radii).__name__)
        raise TypeError(f"radii must be a tensor of dtype {x.dtype}, like x, got {got}")
    if radii.shape != (m,) or radii.device != x.device:
        raise ValueError(
            f"radii must have shape ({m},) on {x.device}, one per query point, got {tuple(radii.shape)} "
            f"on {radii.device}"
        )
    counts: Tensor = torch.ops.entropix.count_within(x, radii, query, metric)
    return counts


def _fake(x: Tensor, radii: Tensor, query: Tensor | None, metric: str) -> Tensor:
    return radii.new_empty(radii.shape, dtype=torch.int64)


def _cpu(x: Tensor, radii: Tensor, query: Tensor | None, metric: str) -> Tensor:
    x, radii, query = x.contiguous(), radii.contiguous(), None if query is None else query.contiguous()
    native = _native.load()
    check_finite(native, "x", x)
    if query is not None:
        check_finite(native, "query", query)
    counts = _fake(x, radii, query, metric)
    native.count_within_cpu(_arguments(native, x, radii, query, metric, counts), torch.get_num_threads())
    return counts


def _cuda(x: Tensor, radii: Tensor, query: Tensor | None, metric: str) -> Tensor:
    x, radii, query = x.contiguous(), radii.contiguous(), None if query is None else query.contiguous()
    counts = _fake(x, radii, query, metric)
    with _native.cuda_call(x) as (native, stream):
        native.count_within_cuda(_arguments(native, x, radii, query, metric, counts), stream)
    return counts


def _arguments(native: ModuleType, x: Tensor, radii: Tensor, query: Tensor | None, metric: str, counts: Tensor) -> Any:
    return native.CountArguments(
        x.data_ptr(),
        0 if query is None else query.data_ptr(),
        radii.data_ptr(),
        x.shape[0],
        counts.shape[0],
        x.shape[1],
        METRICS.index(metric),
        x.dtype == torch.float64,
        counts.data_ptr(),
    )


register("count_within", "(Tensor x, Tensor radii, Tensor? query, str metric) -> Tensor", _fake, _cpu, _cuda)
