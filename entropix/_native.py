"""Loads the native module `entropix._C` when a kernel is first called, and tells what it can do.

Importing entropix works without the module; the first call that needs it raises one sentence that says how to get it.
ENTROPIX_SIMD=portable|avx2|avx512 forces an instruction set, for tests and benchmarks.
"""

import functools
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

__all__ = ["cuda_call", "load", "native_info", "workspace"]


@functools.cache
def _attempt() -> tuple[ModuleType | None, str]:
    try:
        module = importlib.import_module("entropix._C")
    except ImportError as error:
        return None, str(error)
    level = os.environ.get("ENTROPIX_SIMD")
    if level:
        module.set_simd_level(level)
    return module, ""


def load() -> ModuleType:
    """Load the native module, whose functions `_C.pyi` declares.

    Raises:
        RuntimeError: It is not built or does not load; the message says what to do.
    """
    module, reason = _attempt()
    if module is None:
        raise RuntimeError(
            f"this function needs entropix's native module, which is not usable ({reason}): "
            "run `pip install .` in the source folder (a C++17 compiler is needed, nvcc only for CUDA)"
        )
    return module


@contextmanager
def cuda_call(x: Tensor) -> Iterator[tuple[ModuleType, int]]:
    """Make the device of `x` current, and give the native module and the device's current stream.

    Raises:
        RuntimeError: The native module is not usable, or was built without nvcc.
    """
    module = load()
    if not module.build_info()["cuda"]:
        raise RuntimeError(
            f"entropix was built without CUDA kernels, but a tensor is on {x.device}: move it with .cpu(), "
            "or reinstall with ENTROPIX_CUDA=1 where nvcc is on PATH"
        )
    with torch.cuda.device(x.device):
        yield module, torch.cuda.current_stream(x.device).cuda_stream


def native_info() -> dict[str, Any]:
    """Tell what the native module is and can do on this machine; never raises.

    Returns:
        A dictionary with `built`, `path`, `reason` (why the module is not usable, else ""), `compiler`, `flags`, `simd`
            (the instruction set in use), `simd_levels` (all that this processor runs), `cuda_built`,
            `cuda_architectures`, `cuda_usable` and `cuda_reason` (why CUDA is not usable, else "").
    """
    module, reason = _attempt()
    info: dict[str, Any] = {"built": module is not None, "path": None, "reason": reason}
    build: dict[str, Any] = {"compiler": "", "flags": "", "cuda": False, "cuda_architectures": ""}
    simd, levels = "", []
    if module is not None:
        info["path"] = module.__file__
        build = module.build_info()
        simd, levels = module.simd_level(), module.simd_levels()
    cuda_reason = _cuda_reason(module) if module is not None else "the native module is not usable"
    return {
        **info,
        "compiler": build["compiler"],
        "flags": build["flags"],
        "simd": simd,
        "simd_levels": levels,
        "cuda_built": build["cuda"],
        "cuda_architectures": build["cuda_architectures"],
        "cuda_usable": not cuda_reason,
        "cuda_reason": cuda_reason,
    }


def _cuda_reason(module: ModuleType) -> str:
    if not module.build_info()["cuda"]:
        return "entropix was built without nvcc"
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is a CPU build"
    if not torch.cuda.is_available():
        return "PyTorch finds no usable CUDA device or driver"
    major, minor = torch.cuda.get_device_capability()
    if major < 8:
        return f"the GPU has compute capability {major}.{minor}, and the kernels need 8.0 or newer"
    with torch.cuda.device(torch.cuda.current_device()):
        return str(module.cuda_unusable_reason())


def workspace(operator: str, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Make room on a CUDA device for what an operator writes besides its results.

    Raises:
        torch.OutOfMemoryError: There is not so much memory; the message names the operator and the size.
    """
    try:
        return torch.empty(count, dtype=dtype, device=device)
    except torch.OutOfMemoryError as error:
        size = count * dtype.itemsize / 2**20
        raise torch.OutOfMemoryError(
            f"{operator} needs {size:.0f} MiB on {device} besides its results, and there is not so much: search for "
            f"fewer points or neighbours at a time, or free memory ({error})"
        ) from error
