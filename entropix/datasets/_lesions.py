"""Simulated lesions: one per image, of random kind, place, size, shape and contrast, with its mask.

A lesion is an irregular blob with a soft edge. Kinds: "bright" and "dark" add or take away brightness, "texture" adds
band-limited noise of mean zero, "mass" pushes the tissue around its centre outwards without new brightness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from entropix._utils import check_seed

KINDS = ("bright", "dark", "texture", "mass")
"""Kinds of lesions that `implant_lesions` knows."""
FOREGROUND_LEVEL = 0.15
"""Pixels brighter, after smoothing, than this share of the brightest are foreground."""


def implant_lesions(
    images: ArrayLike | Tensor,
    seed: int = 0,
    kinds: Sequence[str] = ("bright", "dark", "texture"),
    size: tuple[float, float] = (0.06, 0.14),
    contrast: tuple[float, float] = (0.15, 0.4),
) -> tuple[np.ndarray, np.ndarray]:
    """Implant one lesion in the foreground of each of a set of normal images, which are copied.

    Args:
        images: Images (n, c, h, w), array or tensor, with values on [0, 1].
        seed: Seed of the lesions; the same seed gives the same lesions.
        kinds: Some of `KINDS`, drawn from with equal chance ("mass" hardly shows in even tissue).
        size: Smallest and largest radius, as a share of the shorter side; drawn log-uniformly.
        contrast: Smallest and largest change of brightness, as a share of the image's own range.

    Returns:
        Images (n, c, h, w), float32, on [0, 1], and masks (n, h, w), bool, True where the lesion is.

    Raises:
        ValueError: Another shape, values outside [0, 1], an unknown kind, or sizes or contrasts out of order.
    """
    values = np.array(np.asarray(images), dtype=np.float32)  # a tensor can't be asked to copy, an array can
    if values.ndim != 4:
        raise ValueError(f"images of shape {values.shape}; expected (n, c, h, w)")
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(f"values from {values.min():g} to {values.max():g}; expected [0, 1]: scale them first")
    foreground = np.stack([_foreground(image.mean(0)) for image in values]) if len(values) else values[:, 0] > 0
    check_seed(seed)
    masks = add_lesions(values, foreground, np.random.default_rng(seed), kinds, size, contrast)
    return values, masks


def add_lesions(
    images: np.ndarray,
    foreground: np.ndarray,
    rng: np.random.Generator,
    kinds: Sequence[str],
    size: tuple[float, float],
    contrast: tuple[float, float],
) -> np.ndarray:
    """Implant one lesion in the foreground (n, h, w) of each of the float32 images (n, c, h, w), in place.

    Returns:
        Masks (n, h, w), bool, True where the lesion is.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ValueError(f"kinds={list(kinds)}; expected some of {', '.join(KINDS)}")
    for name, (low, high), most in (("size", size, 0.5), ("contrast", contrast, 1.0)):
        if not 0 < low <= high <= most:
            raise ValueError(f"{name}=({low}, {high}); expected 0 < lowest <= highest <= {most}")
    height, width = images.shape[-2:]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    masks = np.zeros((len(images), height, width), dtype=bool)
    for image, mask, inside in zip(images, masks, foreground, strict=True):
        row, column = _place(inside, rng)
        radius = min(height, width) * np.exp(rng.uniform(*np.log(size)))
        blob = _blob(rows - row, columns - column, radius, rng)
        span = float(image.max() - image.min()) or 1.0
        strength = rng.uniform(*contrast) * span
        kind = kinds[int(rng.integers(len(kinds)))]
        if kind == "mass":
            image[:] = _push_outwards(image, rows - row, columns - column, radius, rng.uniform(0.5, 0.8))
        else:
            blob = blob * inside
            change = {"bright": 1.0, "dark": -1.0}.get(kind)
            image += strength * blob * (_noise((height, width), rng) if change is None else change)
        np.clip(image, 0, 1, out=image)
        mask[:] = blob > 0.5
    return masks


def _place(inside: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Draw a pixel (row, column) of the foreground, which must not be empty."""
    index = rng.choice(np.flatnonzero(inside))
    return int(index) // inside.shape[1], int(index) % inside.shape[1]


def _blob(dy: np.ndarray, dx: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Draw an irregular ellipse around the origin: 1 inside, 0 outside, with a soft edge of a fifth of its radius."""
    stretch, turn, phase = rng.uniform(0.75, 1.3), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi, 2)
    u = (np.cos(turn) * dx + np.sin(turn) * dy) / (radius * stretch)
    v = (np.cos(turn) * dy - np.sin(turn) * dx) / (radius / stretch)
    angle = np.arctan2(v, u)
    outline = 1 + 0.12 * np.cos(2 * angle + phase[0]) + 0.08 * np.cos(3 * angle + phase[1])
    blob: np.ndarray = 1 / (1 + np.exp(np.clip((np.hypot(u, v) - outline) / 0.1, -30, 30)))
    return blob


def _noise(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw smooth noise (h, w), mean 0, standard deviation 1, grain about a twentieth of the shorter side."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal(shape), sigma=min(shape) / 45, mode="wrap")
    standard: np.ndarray = (noise - noise.mean()) / noise.std()
    return standard


def _push_outwards(image: np.ndarray, dy: np.ndarray, dx: np.ndarray, radius: float, strength: float) -> np.ndarray:
    """Magnify an image (c, h, w) around the origin; smooth and one to one for strength < 1."""
    from scipy.ndimage import map_coordinates

    shift = strength * np.exp(-(dy**2 + dx**2) / (2 * radius**2))
    rows, columns = np.mgrid[: image.shape[1], : image.shape[2]]
    where = np.stack([rows - shift * dy, columns - shift * dx])
    return np.stack([map_coordinates(channel, where, order=1, mode="nearest") for channel in image])


def _foreground(image: np.ndarray) -> np.ndarray:
    """Tell which pixels (h, w) belong to the body; all of them if the image is black."""
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(image, size=max(3, min(image.shape) // 12))
    foreground: np.ndarray = smooth >= FOREGROUND_LEVEL * smooth.max()
    return foreground
