"""What a fit depends on beside the images: deterministic algorithms, epochs; and what of it is written down."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import torch

from entropix._utils import SharedSettings
from entropix._version import __version__
from entropix.data import ImageSet
from entropix.training import (
    hash_of,
    parallel,
)

PRESENTATIONS = 100_000  # images that a fit shows
PAPER_PRESENTATIONS = 250_000  # those of the paper's training: 250 epochs of a thousand images

# not `torch.backends.cudnn.flags`, which fails while another thread is in a block of `full_precision`
_deterministic = SharedSettings(torch.backends.cudnn, {"enabled": True, "benchmark": False, "deterministic": True})


def deterministic() -> AbstractContextManager[None]:
    """A block in which cuDNN's algorithms are the same in every run; otherwise they may differ.

    The settings are those of the process: of blocks in several threads, the last one to end puts them back.
    """
    return _deterministic.changed()


def default_epochs(n: int, presentations: int = PRESENTATIONS) -> int:
    """Return how many passes over n training images show so many in all, between 25 and 600 (the paper's most)."""
    return min(600, max(25, round(presentations / n)))


def to_resume(data: ImageSet, epochs: int | None) -> dict[str, Any]:
    """Return the facts that must be the same for a training to be resumed, beside its own settings."""
    images = hash_of(data.pixels, data.groups)
    return {"images": images, "epochs": epochs, "devices": parallel.processes(), "entropix": __version__}


def settings(data: ImageSet, epochs: int, seed: int, device: torch.device) -> dict[str, Any]:
    """Return what it takes to repeat a fit: where the data are, which were left out, settings and versions."""
    left_out = {name: [list(entry) for entry in getattr(data, name)] for name in ("unreadable", "passed_over")}
    globs = {"include": list(data.include), "exclude": list(data.exclude)}
    read = {"data": data.source, "select": asdict(data.select)} | globs | left_out
    return read | circumstances(epochs, seed, device)


def circumstances(epochs: int, seed: int, device: torch.device) -> dict[str, Any]:
    """Return the settings and versions that a result depends on beside the data."""
    return {
        "epochs": epochs,
        "seed": seed,
        "device": str(device),
        "devices": parallel.processes(),
        "entropix": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
