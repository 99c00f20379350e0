"""PNG files of images with their heat maps laid over them."""

from __future__ import annotations

import numpy as np

from entropix.data.formats._maps import HeatMap, MapFolder

# Of a pixel at the top of the scale: how much of the map, and how little of the image, is seen.
OPACITY = 0.7


def write_overlay(folder: MapFolder, one: HeatMap, image: np.ndarray) -> None:
    """Write an image (c, h, w) with its map laid over it, in colours whose scale all maps of the folder share."""
    from PIL import Image

    low, high = (0.0, 1.0) if folder.natural_scale else (float(image.min()), float(image.max()))
    seen = lay_over(picture(image, low, high), np.clip(one.values / folder.top, 0, 1))
    Image.fromarray(np.round(255 * np.clip(seen, 0, 1)).astype(np.uint8)).save(folder.place(one.name, ".png"))


def picture(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the image in colour (h, w, 3) on [0, 1]."""
    colour = image if len(image) == 3 else image.mean(0, keepdims=True).repeat(3, 0)
    return np.clip((colour.transpose(1, 2, 0) - low) / max(high - low, 1e-12), 0, 1)


def lay_over(image: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Return a picture (h, w, 3) that shows the less of itself and the more of a colour the stronger the map is."""
    seen = OPACITY * strength[..., None]
    return image * (1 - seen) + coloured(strength) * seen


def coloured(strength: np.ndarray) -> np.ndarray:
    """Return the colours (h, w, 3) on [0, 1] of strengths (h, w) on [0, 1]."""
    import matplotlib

    return matplotlib.colormaps["inferno"](strength)[..., :3]
