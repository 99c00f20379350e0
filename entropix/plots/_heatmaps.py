"""Images beside their reconstructions and heat maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from entropix.plots._drawn import Drawn


def plot_heatmaps(
    detector: Drawn,
    images: np.ndarray,
    axes: np.ndarray,
    masks: np.ndarray | None = None,
    titles: Sequence[str] | None = None,
) -> None:
    """Draw one column per image, with three rows: image, reconstruction, heat map, whose colours a bar explains.

    Args:
        detector: fitted to images.
        images: (n, 1, s, s) on [0, 1].
        axes: matplotlib axes to draw on, (3, n).
        masks: (n, s, s), outlined in image and heat map.
        titles: n texts above the columns.
    """
    heat = np.stack(list(detector.heatmap(images)))
    brightest = float(np.quantile(heat, 0.999)) or 1.0
    rows = (("image", images[:, 0], "gray", 1.0), ("reconstruction", detector.reconstruct(images)[:, 0], "gray", 1.0))
    for axes_row, (title, pictures, colours, top) in zip(
        axes, (*rows, ("surprise", heat, "inferno", brightest)), strict=True
    ):
        axes_row[0].set_ylabel(title)
        for column, (ax, picture) in enumerate(zip(axes_row, pictures, strict=True)):
            shown = ax.imshow(picture, cmap=colours, vmin=0, vmax=top)
            ax.set(xticks=[], yticks=[])
            if masks is not None and title != "reconstruction" and masks[column].any():
                ax.contour(masks[column], levels=[0.5], colors="tab:cyan", linewidths=0.8)
    axes[-1][0].figure.colorbar(shown, ax=list(axes[-1]), label="nats per pixel", extend="max")
    for ax, title in zip(axes[0], titles or (), strict=titles is not None):
        ax.set_title(title, fontsize="small")
