"""Reconstruction error per image, and as a map, in one read of both inputs.

Native contract: csrc/reconstruction/reconstruction.h.
"""

from types import ModuleType
from typing import Any, Literal, overload

import torch
from torch import Tensor

from entropix import _native
from entropix.ops._register import register

__all__ = ["reconstruction_error"]

SCALARS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)  # the order of csrc's enum Scalar


@overload
def reconstruction_error(
    x: Tensor,
    x_hat: Tensor,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    map: Literal[False] = False,
) -> Tensor: ...
@overload
def reconstruction_error(
    x: Tensor,
    x_hat: Tensor,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    map: Literal[True],
) -> tuple[Tensor, Tensor]: ...
@overload
def reconstruction_error(
    x: Tensor, x_hat: Tensor, weight: Tensor | None = None, mask: Tensor | None = None, *, map: bool
) -> Tensor | tuple[Tensor, Tensor]: ...
def reconstruction_error(
    x: Tensor, x_hat: Tensor, weight: Tensor | None = None, mask: Tensor | None = None, map: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Compute the residual energy of every image: the mean over its unmasked pixels of weight * (x - x_hat)^2.

    Without `weight` and `mask` this is the mean squared error per image. Equivalent to:

        e = weight * (x.float() - x_hat.float()).square() * mask
        error = e.flatten(1).sum(1) / mask.flatten(1).sum(1)

    Args:
        x: Images (n, ...), float16, bfloat16, float32 or float64, on the CPU or a CUDA device.
        x_hat: Their reconstructions, of the same shape, dtype and device.
        weight: Weight of every pixel, of the shape of one image (shared by all) or of `x`.
        mask: Pixels that count, bool, of the shape of one image (shared by all) or of `x`.
        map: Also return the weighted squared residual of every pixel, 0 where masked.

    Returns:
        Errors (n,), or errors and map (n, ...); float32, or float64 for float64 input. An image without an unmasked
            pixel has error NaN. Differentiable in `x`, `x_hat` and `weight`.

    Raises:
        TypeError: Wrong type or dtype.
        ValueError: Shapes or devices that do not agree.
        RuntimeError: The native module is not usable.
    """
    _check(x, x_hat, weight, mask)
    if weight is not None:
        weight = weight.to(_sum_dtype(x))
    error, energy = torch.ops.entropix.reconstruction_error(x, x_hat, weight, mask, map)
    return (error, energy) if map else error


def _sum_dtype(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _check(x: Tensor, x_hat: Tensor, weight: Tensor | None, mask: Tensor | None) -> None:
    for name, tensor in (("x", x), ("x_hat", x_hat), ("weight", weight), ("mask", mask)):
        if not isinstance(tensor, Tensor) and not (tensor is None and name in ("weight", "mask")):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}")
        if tensor is not None and tensor.device != x.device:
            raise ValueError(f"{name} must be on the device of x, {x.device}, got {tensor.device}")
    if x.dtype not in SCALARS or x_hat.dtype != x.dtype:
        raise TypeError(
            f"x and x_hat must both be float16, bfloat16, float32 or float64, got {x.dtype} and {x_hat.dtype}"
        )
    if x.ndim < 1 or x.shape != x_hat.shape:
        raise ValueError(
            f"x and x_hat must have the same shape (n, ...), got {tuple(x.shape)} and {tuple(x_hat.shape)}"
        )
    for name, tensor in (("weight", weight), ("mask", mask)):
        if tensor is not None and tensor.shape not in (x.shape, x.shape[1:]):
            raise ValueError(
                f"{name} must have the shape of one image, {tuple(x.shape[1:])}, or of x, {tuple(x.shape)}, "
                f"got {tuple(tensor.shape)}"
            )
    if weight is not None and not weight.is_floating_point():
        raise TypeError(f"weight must be floating point, got {weight.dtype}")
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError(f"mask must be bool, got {mask.dtype}; compare it first, as in mask > 0")


def _fake(x: Tensor, x_hat: Tensor, weight: Tensor | None, mask: Tensor | None, map: bool) -> tuple[Tensor, Tensor]:
    dtype = _sum_dtype(x)
    return x.new_empty(x.shape[:1], dtype=dtype), x.new_empty(x.shape if map else (0,), dtype=dtype)


def _cpu(x: Tensor, x_hat: Tensor, weight: Tensor | None, mask: Tensor | None, map: bool) -> tuple[Tensor, Tensor]:
    x, x_hat, weight, mask = _contiguous(x, x_hat, weight, mask)
    native = _native.load()
    error, energy = _fake(x, x_hat, weight, mask, map)
    arguments = _arguments(native, x, x_hat, weight, mask, error, energy)
    native.reconstruction_error_cpu(arguments, torch.get_num_threads())
    return error, energy


def _cuda(x: Tensor, x_hat: Tensor, weight: Tensor | None, mask: Tensor | None, map: bool) -> tuple[Tensor, Tensor]:
    x, x_hat, weight, mask = _contiguous(x, x_hat, weight, mask)
    error, energy = _fake(x, x_hat, weight, mask, map)
    with _native.cuda_call(x) as (native, stream):
        arguments = _arguments(native, x, x_hat, weight, mask, error, energy)
        pieces = native.reconstruction_error_cuda_pieces(x.shape[0], x.shape[1:].numel())
        count = 2 * x.shape[0] * pieces if pieces > 1 else 0
        workspace = _native.workspace("reconstruction_error", count, torch.float64, x.device)
        native.reconstruction_error_cuda(arguments, pieces, workspace.data_ptr(), stream)
    return error, energy


def _contiguous(
    x: Tensor, x_hat: Tensor, weight: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    weight, mask = (None if t is None else t.contiguous() for t in (weight, mask))
    return x.contiguous(), x_hat.contiguous(), weight, mask


def _arguments(
    native: ModuleType,
    x: Tensor,
    x_hat: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    error: Tensor,
    energy: Tensor,
) -> Any:
    p = x.shape[1:].numel()
    return native.ReconstructionArguments(
        x.data_ptr(),
        x_hat.data_ptr(),
        0 if weight is None else weight.data_ptr(),
        0 if mask is None else mask.data_ptr(),
        x.shape[0],
        p,
        0 if weight is None or weight.ndim < x.ndim else p,
        0 if mask is None or mask.ndim < x.ndim else p,
        SCALARS.index(x.dtype),
        error.data_ptr(),
        energy.data_ptr() if energy.shape == x.shape else 0,
    )


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, x_hat, weight, mask, ctx.map = inputs
    ctx.save_for_backward(x, x_hat, weight, mask)


def _backward(ctx: Any, grad: Tensor, grad_map: Tensor) -> tuple[Tensor | None, ...]:
    x, x_hat, weight, mask = ctx.saved_tensors
    per_image = (-1, *(1 for _ in x.shape[1:]))
    kept = x[0].numel() if mask is None else mask.expand_as(x).flatten(1).sum(1).view(per_image)
    pixel = grad.view(per_image) / kept  # gradient of every pixel's energy
    if ctx.map:
        pixel = pixel + grad_map
    pixel = pixel.expand_as(x) if mask is None else torch.where(mask, pixel, 0)
    residual = x.to(grad.dtype) - x_hat.to(grad.dtype)
    to_weight = None
    if weight is not None and ctx.needs_input_grad[2]:
        to_weight = pixel * residual.square()
        to_weight = to_weight.sum(0) if weight.ndim < x.ndim else to_weight
    to_x = (2 * pixel * residual * (1 if weight is None else weight)).to(x.dtype)
    return to_x, -to_x, to_weight, None, None


register(
    "reconstruction_error",
    "(Tensor x, Tensor x_hat, Tensor? weight, Tensor? mask, bool map) -> (Tensor, Tensor)",
    _fake,
    _cpu,
    _cuda,
    _backward,
    _setup_context,
)
