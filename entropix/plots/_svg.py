"""Figures as SVG text that takes the colour of the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from entropix.plots._axes import new_figure

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


def svg(draw: Callable[[Axes], None], description: str, salt: str, size: tuple[float, float] = (4.4, 3.1)) -> str:
    """Return a figure as an SVG element that scales with the page and carries its description.

    Args:
        draw: draws the figure on matplotlib axes.
        description: for those who can't see it.
        salt: makes the identifiers in the element; it has to differ between the figures of a page.
        size: width and height in inches, which set how large text is beside the rest.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": salt}):
        figure, axes = new_figure(*size)
        draw(axes[0][0])
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :].replace(INK, "currentColor")
    element = re.sub(r'<g id="[\w.]+">', "<g>", element)  # names that are the same in all figures
    return element.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)
