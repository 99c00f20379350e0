"""Figures as SVG text and pictures as PNG, for a page that is light or dark."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from entropix.plots import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#010203"  # stands for the page's text colour, which the reader's light or dark mode decides
STYLE: Any = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # text stays text
}


def svg(draw: Callable[[Axes], None], description: str, salt: str) -> str:
    """Return a figure as an SVG element that scales with the page and carries its description.

    Args:
        draw: draws the figure on matplotlib axes.
        description: for those who can't see it.
        salt: makes the identifiers in the element; it has to differ between the figures of a page.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": salt}):
        figure, axes = new_figure(4.4, 3.1)
        draw(axes[0][0])
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :].replace(INK, "var(--ink)")
    return element.replace("<svg", f'<svg role="img" aria-label="{description}"', 1)


def grey_png(image: np.ndarray) -> str:
    """Return a data URI of an image (c, s, s) on [0, 1], grey or, with three channels, in colour."""
    pixels = (image.clip(0, 1) * 255).round().astype(np.uint8)
    return _png(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0])


def heat_png(heat: np.ndarray, top: float) -> str:
    """Return a data URI of a heat map (s, s), black at 0 and brightest at `top`."""
    import matplotlib

    return _png(matplotlib.colormaps["inferno"](heat / top, bytes=True)[..., :3])


def _png(pixels: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
