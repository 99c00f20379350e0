"""Pictures, drawn on matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from entropix.detector import EntropixDetector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_curve(detector: EntropixDetector, ax: Axes) -> None:
    """H(X^_d) against d beside H(X_n), and on a second axis the visibility of foreign content; d is marked."""
    curve = detector.curve_
    if not curve or detector.entropy_ is None:
        raise ValueError("this detector has no curve: its latent dimension was given, not chosen")
    d = [point["latent_dim"] for point in curve]
    low, high = detector.entropy_.ci
    ax.axhspan(low, high, color="tab:blue", alpha=0.15, lw=0)
    ax.axhline(float(detector.entropy_), color="tab:blue", lw=1, ls="--", label="H(X_n), 95 % interval")
    h = [point["entropy"] for point in curve]
    ax.plot(d, h, "o-", color="tab:blue", label="H of the reconstructions")
    ax.axvline(detector.latent_dim_, color="0.4", lw=1, label=f"chosen d = {detector.latent_dim_}")
    ax.set(xlabel="latent dimension d", ylabel="entropy in nats", xscale="log", xticks=d)
    ax.xaxis.set_major_formatter("{x:.0f}")
    ax.minorticks_off()
    right = ax.twinx()
    visibility = [point["visibility"] for point in curve]
    error = [point["visibility_stderr"] for point in curve]
    right.errorbar(d, visibility, error, fmt="s:", color="tab:orange", capsize=3, label="visibility of foreign content")
    right.set_ylabel("visibility (0.5: none)")
    handles = [*ax.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    ax.legend(handles=handles, loc="lower right", fontsize="small")


def plot_heatmaps(
    detector: EntropixDetector, images: np.ndarray, axes: np.ndarray, masks: np.ndarray | None = None
) -> None:
    """One column per image (n, 1, s, s), three rows of axes: image, reconstruction, heat map; masks are outlined."""
    heat = np.stack(list(detector.heatmap(images)))
    brightest = float(np.quantile(heat, 0.999)) or 1.0
    rows = (("image", images[:, 0], "gray", 1.0), ("reconstruction", detector.reconstruct(images)[:, 0], "gray", 1.0))
    for axes_row, (title, pictures, colours, top) in zip(
        axes, (*rows, ("surprise", heat, "inferno", brightest)), strict=True
    ):
        axes_row[0].set_ylabel(title)
        for column, (ax, picture) in enumerate(zip(axes_row, pictures, strict=True)):
            ax.imshow(picture, cmap=colours, vmin=0, vmax=top)
            ax.set(xticks=[], yticks=[])
            if masks is not None and title != "reconstruction" and masks[column].any():
                ax.contour(masks[column], levels=[0.5], colors="tab:cyan", linewidths=0.8)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """A figure that needs no display, and its axes (rows, columns)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)
