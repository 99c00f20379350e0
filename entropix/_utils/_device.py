"""`device="auto"`: the GPU where both PyTorch and the native kernels can use it, else the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from entropix._native import native_info
from entropix._version import __version__


def resolve_device(device: str) -> torch.device:
    """Return the device of "auto", "cpu", "cuda" or "cuda:1".

    Raises:
        ValueError: not a device, or one that is not usable here; the message says why.
    """
    if not isinstance(device, str):
        raise TypeError(f"device={device!r}; expected 'auto', 'cpu', 'cuda' or 'cuda:N'")
    if device == "auto":
        return torch.device("cuda" if native_info()["cuda_usable"] else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device={device!r}; expected 'auto', 'cpu', 'cuda' or 'cuda:N'") from error
    if resolved.type not in ("cpu", "cuda"):
        raise ValueError(f"device={device!r}; entropix's kernels run on 'cpu' and 'cuda'")
    if resolved.type == "cpu":
        return resolved
    info = native_info()
    if not info["cuda_usable"]:
        raise ValueError(f"device={device!r} is not usable: {info['cuda_reason']}; use device='cpu' or 'auto'")
    if resolved.index is not None and resolved.index >= torch.cuda.device_count():
        raise ValueError(f"device={device!r}, but there are {torch.cuda.device_count()} CUDA devices, counted from 0")
    return resolved


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolve in float32 on the GPU too, where PyTorch rounds to TF32's ten bits unless told otherwise.

    A residual is divided by what normal images leave of it, so what is noise to a network is a percent of a score.
    """
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before


def versions() -> dict[str, Any]:
    """Return the versions of entropix, Python and the libraries it stands on, and the state of the native module."""
    import platform
    from importlib.metadata import version

    libraries = ("torch", "numpy", "scipy", "scikit-learn", "pydicom", "nibabel", "pillow")
    return {
        "entropix": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in libraries},
        **{f"native_{name}": value for name, value in native_info().items()},
    }
