"""The operators of the `entropix` torch.library namespace.

Registered through `Library.impl`: `torch.library.register_kernel` wraps a kernel so that its first call imports
torch._dynamo, 800 modules, and every call costs half as much again.
"""

from collections.abc import Callable
from typing import Any

import torch

_LIBRARY = torch.library.Library("entropix", "FRAGMENT")  # keeps the operators registered


def register(
    name: str,
    schema: str,
    fake: Callable[..., Any],
    cpu: Callable[..., Any],
    cuda: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    setup_context: Callable[..., Any] | None = None,
) -> None:
    """Define an operator with its kernels and, where it is differentiable, its gradient.

    Args:
        name: Of the operator.
        schema: Arguments and results, in the language of torch.library.
        fake: Results of the right shape and dtype without their values, for torch.compile and torch.export.
        cpu: Kernel for tensors on the CPU.
        cuda: Kernel for tensors on a CUDA device.
        backward: Gradient, as for torch.library.register_autograd.
        setup_context: What the gradient needs, as there.
    """
    _LIBRARY.define(name + schema)
    _LIBRARY.impl(name, cpu, "CPU")
    _LIBRARY.impl(name, cuda, "CUDA")
    torch.library.register_fake(f"entropix::{name}", fake, lib=_LIBRARY)
    if backward is not None:
        torch.library.register_autograd(f"entropix::{name}", backward, setup_context=setup_context, lib=_LIBRARY)
