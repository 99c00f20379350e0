"""Figures that need no display, and one legend for axes that share a place."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def legend(*axes: Axes) -> None:
    """One legend for all axes of a picture. It is placed above them, because curves may run through every corner."""
    handles = [handle for ax in axes for handle in ax.get_legend_handles_labels()[0]]
    axes[0].legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize="small", frameon=False
    )


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """Return a figure that needs no display, and its axes (rows, columns).

    Args:
        width: in inches.
        height: in inches.
        rows: number of rows of axes.
        columns: number of columns of axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            """How a notebook shows it, which knows only the figures of pyplot."""
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=100)
            return buffer.getvalue()

    figure = Picture(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)
