"""Loads the native module `entropix._C` when a kernel is first called, and tells what it can do.

Importing entropix works without the module; the first call that needs it raises one sentence saying how to get it.
"""

import functools
import importlib
import os
from types import ModuleType
from typing import Any

__all__ = ["load", "native_info"]


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


def load() -> Any:
    """The native module.

    Raises:
        RuntimeError: it is not built or does not load; the message says what to do.
    """
    module, reason = _attempt()
    if module is None:
        raise RuntimeError(
            f"this function needs entropix's native module, which is not usable ({reason}): "
            "run `pip install .` in the source folder (a C++17 compiler is needed, nvcc only for CUDA)"
        )
    return module


def load_cuda() -> Any:
    """The native module, when it holds the CUDA kernels.

    Raises:
        RuntimeError: it is missing, or was built without nvcc.
    """
    module = load()
    if not module.build_info()["cuda"]:
        raise RuntimeError(
            "entropix was built without CUDA kernels, but this tensor is on a CUDA device: move it with .cpu(), "
            "or reinstall with ENTROPIX_CUDA=1 where nvcc is on PATH"
        )
    return module


def native_info() -> dict[str, Any]:
    """What the native module is and can do on this machine; never raises.

    Returns:
        A dictionary with `built`, `path`, `reason` (why it is not usable, else ""), `compiler`, `flags`, `simd` (the
        instruction set in use), `simd_levels` (all that this processor runs), `cuda_built`, `cuda_compiler`,
        `cuda_architectures`, `cuda_usable` and `cuda_reason` (why CUDA is not usable, else "").
    """
    module, reason = _attempt()
    info: dict[str, Any] = {
        "built": module is not None,
        "path": getattr(module, "__file__", None),
        "reason": reason,
    }
    if module is None:
        return info | {
            "cuda_built": False,
            "cuda_usable": False,
            "cuda_reason": "the native module is not usable",
        }
    build = module.build_info()
    info |= {"compiler": build["compiler"], "flags": build["flags"]}
    info |= {"simd": module.simd_level(), "simd_levels": module.simd_levels()}
    info |= {"cuda_built": build["cuda"]}
    info |= {"cuda_architectures": build["cuda_architectures"]}
    cuda_reason = _cuda_reason(build["cuda"])
    return info | {"cuda_usable": not cuda_reason, "cuda_reason": cuda_reason}


def _cuda_reason(cuda_built: bool) -> str:
    import torch

    if not cuda_built:
        return "entropix was built without nvcc"
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is a CPU build"
    if not torch.cuda.is_available():
        return "PyTorch finds no usable CUDA device or driver"
    capability = torch.cuda.get_device_capability()
    if capability < (8, 0):
        return f"the GPU has compute capability {capability[0]}.{capability[1]}, and the kernels need 8.0 or newer"
    return ""
