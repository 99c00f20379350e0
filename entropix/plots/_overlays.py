"""Images with their heat maps laid over them."""

from __future__ import annotations

import numpy as np

COLOURS = "inferno"
OPACITY = 0.7  # of a heat map where it is brightest: the image stays visible below


def plot_overlays(
    axes: np.ndarray, images: np.ndarray, heat: np.ndarray, level: float, masks: np.ndarray | None = None
) -> None:
    """Draw one column per image, with two rows: the image, and the same below its heat map; a bar explains the colours.

    Args:
        axes: matplotlib axes to draw on, (2, n).
        images: (n, c, s, s) on [0, 1], grey or, with three channels, in colour.
        heat: (n, s, s), nats per pixel.
        level: what lies above it is outlined; colours end at twice of it.
        masks: (n, s, s), true where something is known to be: outlined in the upper row.
    """
    top = 2 * level
    for column, (above, below) in enumerate(axes.T):
        image = images[column].clip(0, 1)
        for ax in (above, below):
            ax.imshow(image.transpose(1, 2, 0) if len(image) == 3 else image[0], cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        strength = np.clip(heat[column] / top, 0, 1)
        shown = below.imshow(heat[column], cmap=COLOURS, vmin=0, vmax=top, alpha=OPACITY * strength)
        if heat[column].max() > level:
            below.contour(heat[column], levels=[level], colors="tab:cyan", linewidths=0.8)
        if masks is not None and masks[column].any() and not masks[column].all():
            above.contour(masks[column], levels=[0.5], colors="tab:green", linewidths=0.8)
    bar = axes[0, 0].figure.colorbar(shown, ax=list(axes[1]), label="nats per pixel", extend="max")
    bar.ax.axhline(level, color="tab:cyan")
