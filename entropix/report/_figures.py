"""Figures as SVG text and pictures as PNG, for a page that is light or dark."""

from __future__ import annotations

import base64
import io

import numpy as np

from entropix.plots import COLOURS, OPACITY, new_figure


def grey_png(image: np.ndarray) -> str:
    """Return a data URI of an image (c, h, w) on [0, 1], grey or, with three channels, in colour."""
    pixels = (image.clip(0, 1) * 255).round().astype(np.uint8)
    return _png(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0])


def heat_png(heat: np.ndarray, top: float) -> str:
    """Return a data URI of a heat map (s, s) to lay over its image: clear at 0, brightest and densest at `top`."""
    import matplotlib

    strength = np.clip(heat / top, 0, 1)
    colours = matplotlib.colormaps[COLOURS](strength)
    colours[..., 3] = OPACITY * strength
    return _png((colours * 255).round().astype(np.uint8))


def scale_png() -> str:
    """Return a data URI of the colours of heat maps from 0 to the top, left to right, as they lie over middle grey."""
    import matplotlib

    strength = np.linspace(0, 1, 64)[None]
    opacity = OPACITY * strength[..., None]
    seen = matplotlib.colormaps[COLOURS](strength)[..., :3] * opacity + 0.5 * (1 - opacity)
    return _png((seen * 255).round().astype(np.uint8))


def outline(heat: np.ndarray, level: float, height: int, width: int) -> str:
    """Return the path (SVG's `d`) around what lies above `level`, in pixels of an image (height, width).

    It follows the map as it is seen, interpolated between the centres of its pixels, and is closed at the edge.

    Args:
        heat: (s, s).
        level: in the unit of `heat`.
        height: of the image.
        width: of the image.
    """
    _, axes = new_figure(1, 1)
    lines = axes[0][0].contour(np.pad(heat, 1), [level]).allsegs[0] if heat.max() > level else []
    scale = np.array([width, height]) / heat.shape[::-1]
    path = []
    for line in lines:
        points = ((np.asarray(line) - 0.5) * scale).clip(0, [width, height])
        path.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return "".join(path)


def _png(pixels: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
