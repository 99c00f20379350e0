"""Neighbour distances of every prefix of a nested code in one pass: the squared distance only accumulates."""

from collections.abc import Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from entropix import _native
from entropix.ops._checks import check_finite, check_k, check_points

__all__ = ["prefix_knn"]


def prefix_knn(x: Tensor, k: int, prefixes: Sequence[int] | None = None, mean_log: bool = False) -> Tensor:
    """Find the euclidean distance of every point to its k-th neighbour, for prefixes of the coordinates.

    Equivalent to:

        torch.stack([knn(x[:, :d], k).distances[:, -1] for d in prefixes])

    Args:
        x: Points (n, D), float32 or float64, on the CPU or a CUDA device.
        k: Which neighbour, at most n - 1; no point is its own.
        prefixes: Strictly ascending prefix lengths between 1 and D; None: every one, 1..D.
        mean_log: Return the mean over the points of the distance's logarithm, in nats, without keeping the distances.
            It is -inf where a point has its k-th neighbour at distance 0.

    Returns:
        Distances (len(prefixes), n) in the dtype of `x`, or their mean logarithms (len(prefixes),), float64. Not
            differentiable.

    Raises:
        TypeError: Wrong type or dtype.
        ValueError: Wrong shape, k, prefixes or device, or NaN or infinity (checked on the CPU only).
        RuntimeError: The native module is not usable.
    """
    check_points("x", x, (2,))
    check_k(k, x.shape[0], True)
    chosen = list(range(1, x.shape[1] + 1)) if prefixes is None else [int(p) for p in prefixes]
    ascending = all(a < b for a, b in pairwise(chosen))
    if not chosen or not ascending or chosen[0] < 1 or chosen[-1] > x.shape[1]:
        raise ValueError(f"prefixes must ascend strictly within 1..{x.shape[1]}, got {chosen}")
    found: Tensor = torch.ops.entropix.prefix_knn(x, k, chosen, mean_log)
    return found


torch.library.define("entropix::prefix_knn", "(Tensor x, int k, int[] prefixes, bool mean_log) -> Tensor")


def _fake(x: Tensor, k: int, prefixes: list[int], mean_log: bool) -> Tensor:
    if mean_log:
        return x.new_empty(len(prefixes), dtype=torch.float64)
    return x.new_empty(len(prefixes), x.shape[0])


def _cpu(x: Tensor, k: int, prefixes: list[int], mean_log: bool) -> Tensor:
    x = x.contiguous()
    native = _native.load()
    check_finite(native, "x", x)
    out = _fake(x, k, prefixes, mean_log)
    native.prefix_knn_cpu(_arguments(native, x, k, prefixes, mean_log, out), torch.get_num_threads())
    return out


def _cuda(x: Tensor, k: int, prefixes: list[int], mean_log: bool) -> Tensor:
    x = x.contiguous()
    out = _fake(x, k, prefixes, mean_log)
    with _native.cuda_call(x) as (native, stream):
        arguments = _arguments(native, x, k, prefixes, mean_log, out)
        workspace_bytes = native.prefix_knn_cuda_workspace(arguments)
        workspace = torch.empty(workspace_bytes, dtype=torch.uint8, device=x.device)
        native.prefix_knn_cuda(arguments, workspace.data_ptr(), stream)
    return out


def _arguments(native: ModuleType, x: Tensor, k: int, prefixes: list[int], mean_log: bool, out: Tensor) -> Any:
    rows, logs = (0, out.data_ptr()) if mean_log else (out.data_ptr(), 0)
    return native.PrefixArguments(x.data_ptr(), *x.shape, k, prefixes, x.dtype == torch.float64, rows, logs)


torch.library.register_fake("entropix::prefix_knn", _fake)
torch.library.register_kernel("entropix::prefix_knn", "cpu", _cpu)
torch.library.register_kernel("entropix::prefix_knn", "cuda", _cuda)
