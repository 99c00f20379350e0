"""Simulated head images with a known number of factors of variation, and lesions with masks.

Every factor moves one property of the head (size, position, ventricles, brightness, ...) by an amount chosen so that
all factors change the pixels by about the same energy; so the intrinsic dimension of noiseless normal images is the
number of factors, and none of them is too weak to matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entropix._utils import check_seed
from entropix.datasets._lesions import add_lesions

EDGE = 0.08
"""Width of soft edges, in units of half the image's width."""
FACTORS: dict[str, tuple[float, float]] = {
    "size": (0.86, 0.0305),
    "ventricle_size": (1.0, 0.462),
    "x": (0.0, 0.0287),
    "tissue_level": (0.45, 0.0765),
    "rotation": (0.0, 0.151),
    "ventricle_separation": (0.17, 0.0825),
    "aspect": (1.0, 0.0495),
    "y": (0.0, 0.0405),
    "bias_x": (0.0, 0.353),
    "skull_thickness": (0.14, 0.102),
    "nuclei_level": (0.25, 0.275),
    "bias_y": (0.0, 0.286),
    "nuclei_spread": (0.5, 0.215),
    "lobe_x": (0.0, 0.225),
    "lobe_y": (0.55, 0.243),
    "ventricle_y": (-0.1, 0.215),
}
"""Name: middle value and largest deviation. Deviations equalise the energy of d(image)/d(factor)."""
MAX_FACTORS = len(FACTORS)
"""Largest number of factors of `phantoms`."""
# Hard enough that an autoencoder's AUC stays below 1: the weakest are within what it fails to reconstruct.
LESION_KINDS = ("bright", "dark", "texture")
LESION_SIZE = (0.05, 0.15)
LESION_CONTRAST = (0.04, 0.15)
CHUNK = 32


@dataclass(frozen=True, eq=False)
class Phantoms:
    """Simulated images and what is known of them.

    Attributes:
        images: Images (n, 1, s, s), float32, on [0, 1].
        labels: Labels (n,), int64: 0 normal, 1 with a lesion.
        masks: Masks (n, s, s), bool, True where the lesion is.
        factors: Factors (n, f), float64, on [-1, 1], uniform and independent.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    factors: np.ndarray


def phantoms(
    n: int = 600,
    factors: int = 4,
    lesions: float = 0.0,
    image_size: int = 64,
    seed: int = 0,
    noise: float = 0.003,
) -> Phantoms:
    """Simulate n head-like images with `factors` independent factors of variation.

    Args:
        n: Number of images.
        factors: Number of factors, 1 to 16; the others stay at their middle value.
        lesions: Share of images with one lesion each, 0 (or False) to 1, at random places of the set.
        image_size: Height and width s in pixels.
        seed: Seed of the images; the same seed gives the same images.
        noise: Standard deviation of the normal noise that is added to every pixel. It varies in as many directions as
            there are pixels, and so hides the number of factors from nearest neighbours unless it is small: with 4
            factors and 600 images of 64 x 64, their estimate is 4.1 at 0.002, 5.5 at 0.005 and over 10 at 0.02.

    Returns:
        The images, with their labels, masks and factors.

    Raises:
        ValueError: A number out of its range.
    """
    ranges = {"n": (n, 1, 2**31), "factors": (factors, 1, MAX_FACTORS), "lesions": (lesions, 0, 1)}
    ranges |= {"image_size": (image_size, 16, 4096), "noise": (noise, 0, 1)}
    for name, (value, low, high) in ranges.items():
        whole = name not in ("lesions", "noise")
        if not isinstance(value, int | np.integer if whole else int | float | np.number) or not low <= value <= high:
            raise ValueError(f"{name}={value!r}; expected {'a whole' if whole else 'a'} number from {low} to {high}")
    check_seed(seed)
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (n, factors))
    labels = np.zeros(n, dtype=np.int64)
    labels[rng.permutation(n)[: round(n * lesions)]] = 1
    images, brain = render(values, image_size)
    masks = np.zeros(brain.shape, dtype=bool)
    sick = np.flatnonzero(labels)
    if len(sick):
        changed = images[sick]
        masks[sick] = add_lesions(changed, brain[sick], rng, LESION_KINDS, LESION_SIZE, LESION_CONTRAST)
        images[sick] = changed
    images += noise * rng.standard_normal(images.shape, dtype=np.float32)
    return Phantoms(np.clip(images, 0, 1), labels, masks, values)


def render(factors: np.ndarray, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw noiseless images of given factors.

    Args:
        factors: Factors (n, f) on [-1, 1]; those beyond f stay at their middle value.
        image_size: Height and width s in pixels.

    Returns:
        Images (n, 1, s, s), float32, on [0, 1], and masks (n, s, s), bool, of the brains.
    """
    parts = [_draw(factors[i : i + CHUNK], image_size) for i in range(0, len(factors), CHUNK)]
    images, brains = zip(*parts, strict=True)
    return np.concatenate(images)[:, None], np.concatenate(brains)


def _draw(factors: np.ndarray, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    p = {name: np.full((len(factors), 1, 1), middle, np.float32) for name, (middle, _) in FACTORS.items()}
    for name, column in zip(FACTORS, factors.T, strict=False):
        p[name] += (FACTORS[name][1] * column[:, None, None]).astype(np.float32)
    line = np.linspace(-1, 1, image_size, dtype=np.float32)
    x, y = line[None, None, :] - p["x"], line[None, :, None] - p["y"]
    cos, sin = np.cos(p["rotation"]), np.sin(p["rotation"])
    # head coordinates: the outer skull is the unit circle
    u = (cos * x + sin * y) / (0.8 * p["size"] * p["aspect"])
    v = (cos * y - sin * x) / (p["size"] / p["aspect"])
    radius = np.sqrt(u**2 + v**2)
    head = _step(1 - radius)
    brain = _step(1 - p["skull_thickness"] - radius)
    tissue = p["tissue_level"] - 0.1 * radius**2
    for side in (-1, 1):
        tissue = tissue + p["nuclei_level"] * _bump(np.hypot(u - side * p["nuclei_spread"], v - 0.1) / 0.16)
    tissue = tissue + 0.4 * _bump(np.hypot(u - p["lobe_x"], v - p["lobe_y"]) / 0.18)
    ventricles = np.zeros_like(radius)
    for side in (-1, 1):
        du = (u - side * p["ventricle_separation"]) / (0.11 * p["ventricle_size"])
        dv = (v - p["ventricle_y"]) / (0.3 * p["ventricle_size"])
        ventricles = np.maximum(ventricles, _step(0.15 * (1 - np.hypot(du, dv))))
    inside = tissue * (1 - 0.8 * ventricles)
    image = 0.6 * (head - brain) + brain * inside
    image = image * (1 + p["bias_x"] * line[None, None, :] + p["bias_y"] * line[None, :, None])
    return np.clip(image, 0, 1), brain > 0.9


def _step(distance: np.ndarray) -> np.ndarray:
    """Return a smooth step from 0 (outside) to 1 (inside) of a signed distance."""
    return 0.5 * (1 + np.tanh(distance / EDGE))


def _bump(distance: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * distance**2)
