"""Neighbour distances of every prefix of a nested code in one pass: the squared distance only accumulates."""

import math
from collections.abc import Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from entropix import _native
from entropix.ops._checks import check_finite, check_k, check_points
from entropix.ops._register import register

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
    found: Tensor = torch.ops.entropix.prefix_knn(x.detach(), k, chosen, mean_log)
    return found


def _fake(x: Tensor, k: int, prefixes: list[int], mean_log: bool) -> Tensor:
    if mean_log:
        return x.new_empty(len(prefixes), dtype=torch.float64)
    return x.new_empty(len(prefixes), x.shape[0])


def _scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply x by a power of two so that squares of differences are numbers; give its reciprocal too.

    Exact, and nothing for points of usual size, whose largest coordinate lies between 2^-16 and 2^32.
    """
    exponent = torch.frexp(x.abs().amax()).exponent
    exponent = torch.where((exponent >= -16) & (exponent <= 32), 0, exponent - 16).to(x.dtype)
    half = (exponent / 2).floor()  # 2^exponent itself may not be a number
    return x * torch.exp2(-half) * torch.exp2(half - exponent), exponent


def _unscaled(out: Tensor, exponent: Tensor, mean_log: bool) -> Tensor:
    if mean_log:
        return out + exponent.double() * math.log(2)
    half = (exponent / 2).floor()
    return out * torch.exp2(half) * torch.exp2(exponent - half)


def _cpu(x: Tensor, k: int, prefixes: list[int], mean_log: bool) -> Tensor:
    native = _native.load()
    check_finite(native, "x", x.contiguous())
    x, exponent = _scaled(x.contiguous())
    out = _fake(x, k, prefixes, mean_log)
    native.prefix_knn_cpu(_arguments(native, x, k, prefixes, mean_log, out), torch.get_num_threads())
    return _unscaled(out, exponent, mean_log)


def _cuda(x: Tensor, k: int, prefixes: list[int], mean_log: bool) -> Tensor:
    x, exponent = _scaled(x.contiguous())
    out = _fake(x, k, prefixes, mean_log)
    with _native.cuda_call(x) as (native, stream):
        arguments = _arguments(native, x, k, prefixes, mean_log, out)
        workspace_bytes = native.prefix_knn_cuda_workspace(arguments)
        workspace = _native.workspace("prefix_knn", workspace_bytes, torch.uint8, x.device)
        native.prefix_knn_cuda(arguments, workspace.data_ptr(), stream)
    return _unscaled(out, exponent, mean_log)


def _arguments(native: ModuleType, x: Tensor, k: int, prefixes: list[int], mean_log: bool, out: Tensor) -> Any:
    rows, logs = (0, out.data_ptr()) if mean_log else (out.data_ptr(), 0)
    return native.PrefixArguments(x.data_ptr(), *x.shape, k, prefixes, x.dtype == torch.float64, rows, logs)


register("prefix_knn", "(Tensor x, int k, int[] prefixes, bool mean_log) -> Tensor", _fake, _cpu, _cuda)
