"""Exact k nearest neighbours, the input of every entropy estimator here.

Distances come from differences of coordinates, never from |x|^2 + |y|^2 - 2xy, which only excludes pairs that it proves
too far: entropies take their logarithm, so near duplicates and data far from the origin must keep their relative
accuracy. Native contract: csrc/knn/knn.h.
"""

from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from entropix import _native
from entropix.ops._checks import METRICS, Metric, check_finite, check_k, check_metric, check_points, check_query
from entropix.ops._register import register

__all__ = ["Neighbours", "knn"]


class Neighbours(NamedTuple):
    """The k nearest neighbours of points, nearest first.

    Attributes:
        distances: Distances (..., m, k), not squared.
        indices: Indices (..., m, k) of the neighbours, int64.
    """

    distances: Tensor
    indices: Tensor


def knn(x: Tensor, k: int, query: Tensor | None = None, metric: Metric = "euclidean") -> Neighbours:
    """Find the k nearest neighbours in `x` of every point of `query`, exactly.

    On the CPU this takes up to 3.2 times the memory of `x` besides it, for d of 8 or more, and then up to 16 bytes for
    every neighbour.

    Args:
        x: Points (n, d) or (b, n, d), float32 or float64, on the CPU or a CUDA device.
        k: Number of neighbours, at most n, or n - 1 when `query` is None.
        query: Points (m, d) or (b, m, d) to search for. None: the points themselves, each without itself (by index: a
            duplicate at distance 0 is a neighbour).
        metric: "euclidean" or "chebyshev" (largest absolute difference of a coordinate).

    Returns:
        Distances (..., m, k), not squared, ascending, in the dtype of `x`, and int64 indices into `x`; of equally near
            points the one with the lower index comes first. Distances are differentiable in `x` and `query`, with
            gradient 0 where the distance is 0.

    Raises:
        TypeError: Wrong type or dtype.
        ValueError: Wrong shape, k, metric or device, or NaN or infinity. CUDA tensors are not searched for NaN and
            infinity, which would stop the stream: neighbours of such rows are undefined, with index -1 if none.
        RuntimeError: The native module is not usable.
    """
    check_points("x", x, (2, 3))
    check_query(x, query)
    check_metric(metric)
    check_k(k, x.shape[-2], query is None)
    return Neighbours(*torch.ops.entropix.knn(x, query, k, metric))


def _fake(x: Tensor, query: Tensor | None, k: int, metric: str) -> tuple[Tensor, Tensor]:
    shape = (*(x if query is None else query).shape[:-1], k)
    return x.new_empty(shape), x.new_empty(shape, dtype=torch.int64)


def _cpu(x: Tensor, query: Tensor | None, k: int, metric: str) -> tuple[Tensor, Tensor]:
    x, query = x.contiguous(), None if query is None else query.contiguous()
    native = _native.load()
    check_finite(native, "x", x)
    if query is not None:
        check_finite(native, "query", query)
    distances, indices = _fake(x, query, k, metric)
    native.knn_cpu(_arguments(native, x, query, metric, distances, indices), torch.get_num_threads())
    return distances, indices


def _cuda(x: Tensor, query: Tensor | None, k: int, metric: str) -> tuple[Tensor, Tensor]:
    x, query = x.contiguous(), None if query is None else query.contiguous()
    distances, indices = _fake(x, query, k, metric)
    with _native.cuda_call(x) as (native, stream):
        arguments = _arguments(native, x, query, metric, distances, indices)
        splits, workspace_bytes = native.knn_cuda_plan(arguments)
        workspace = _native.workspace("knn", workspace_bytes, torch.uint8, x.device)
        native.knn_cuda(arguments, splits, workspace.data_ptr(), stream)
    return distances, indices


def _arguments(
    native: ModuleType, x: Tensor, query: Tensor | None, metric: str, distances: Tensor, indices: Tensor
) -> Any:
    return native.KnnArguments(
        x.data_ptr(),
        0 if query is None else query.data_ptr(),
        x.shape[0] if x.ndim == 3 else 1,
        x.shape[-2],
        distances.shape[-2],
        x.shape[-1],
        distances.shape[-1],
        METRICS.index(metric),
        x.dtype == torch.float64,
        distances.data_ptr(),
        indices.data_ptr(),
    )


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, query, _, metric = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(x, query, output[1])
    ctx.metric = metric


def _backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
    """Differentiate |q - x_j| with the neighbours held fixed, which they are almost everywhere."""
    x, query, indices = ctx.saved_tensors
    q = x if query is None else query
    n, d = x.shape[-2:]
    rows = indices.clamp(min=0)  # a CUDA row with NaN may have the index -1
    if x.ndim == 3:  # rows of the flattened batch
        rows = rows + n * torch.arange(x.shape[0], device=x.device)[:, None, None]
    # Indexing, not gather: sums in its backward have a fixed order on CUDA.
    difference = q.unsqueeze(-2) - x.reshape(-1, d)[rows]  # (..., m, k, d)
    if ctx.metric == "euclidean":
        square = difference.square().sum(-1, keepdim=True)
        positive = square > 0
        direction = torch.where(positive, difference / torch.where(positive, square, 1).sqrt(), 0)
    else:
        largest = difference.abs().argmax(-1, keepdim=True)
        direction = torch.zeros_like(difference).scatter(-1, largest, difference.gather(-1, largest).sign())
    pull = grad.unsqueeze(-1) * direction  # (..., m, k, d)
    to_query = pull.sum(-2)
    to_x = x.new_zeros(x.numel() // d, d).index_put((rows,), -pull, accumulate=True).view_as(x)
    if query is None:
        return to_x + to_query, None, None, None
    return to_x, to_query, None, None


register(
    "knn",
    "(Tensor x, Tensor? query, int k, str metric) -> (Tensor, Tensor)",
    _fake,
    _cpu,
    _cuda,
    _backward,
    _setup_context,
)
