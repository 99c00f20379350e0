"""The check of a fit's options, before any work."""

from __future__ import annotations

from typing import Any

from entropix._utils import as_path, check_seed, check_switches, is_whole
from entropix.data import check_reading
from entropix.models import ARCHITECTURES, ImageAutoencoder
from entropix.scoring import check_alpha
from entropix.strategies import STRATEGIES


def check_options(options: Any) -> None:
    """Raise ValueError for an option of a `FitOptions` out of its range, and TypeError for one of another type."""
    _check_choice("strategy", options.strategy, STRATEGIES)
    _check_choice("architecture", options.architecture, of_images())
    _check_sizes(options.latent_dim, options.image_size, options.epochs, options.architecture)
    check_alpha(options.alpha)
    check_seed(options.seed)
    check_switches({name: getattr(options, name) for name in ("skip_unreadable", "overwrite", "resume", "progress")})
    check_reading(options.select, options.cache, options.include, options.exclude)
    if options.out is not None:
        as_path(options.out, "out")
    if options.on_epoch is not None and not callable(options.on_epoch):
        raise TypeError(f"on_epoch is {options.on_epoch!r}; expected a function of an Epoch")
    if options.fabric is not None and not hasattr(options.fabric, "world_size"):
        raise TypeError(f"fabric is {options.fabric!r}; expected what entropix.distributed.launch returns")
    if options.resume and options.out is None:
        raise ValueError("resume=True without out; give the folder that the interrupted fit was to write")


def of_images() -> dict[str, type[ImageAutoencoder]]:
    """Return the architectures for images, by name."""
    return {name: kind for name, kind in ARCHITECTURES.items() if issubclass(kind, ImageAutoencoder)}


def _check_choice(name: str, value: str, choices: Any) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}={value!r}; expected one of {', '.join(choices)}")


def _check_sizes(latent_dim: int | str, image_size: int, epochs: int | None, architecture: str) -> None:
    """Raise ValueError for numbers that would otherwise fail only after the images were read."""
    stride = of_images()[architecture].stride
    if not (is_whole(image_size, 1) and image_size % stride == 0):
        raise ValueError(f"image_size={image_size!r}; expected a multiple of {stride}")
    if latent_dim != "auto" and not is_whole(latent_dim, 1):
        raise ValueError(f"latent_dim={latent_dim!r}; expected 'auto' or a whole number of at least 1")
    if epochs is not None and not is_whole(epochs, 1):
        raise ValueError(f"epochs={epochs!r}; expected a whole number of at least 1, or None")
