"""Region proposals: the connected parts of a heat map that lie above a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Region:
    """One connected part of an image, in pixels of the input.

    Attributes:
        top: first row of the bounding box, which is half open: image[top:bottom, left:right].
        left: its first column.
        bottom: the row after its last one.
        right: the column after its last one.
        area: area of the region itself, in pixels.
        peak: largest surprise in it, nats per pixel of the heat map.
        nats: surprise summed over it, its share of the image's "conditional" term.
    """

    top: int
    left: int
    bottom: int
    right: int
    area: float
    peak: float
    nats: float


def find_regions(heat: np.ndarray, level: float, size: Sequence[int]) -> list[Region]:
    """Return the regions of a heat map that lie above a level, the highest peak first.

    Pixels that touch at an edge or a corner are connected.

    Args:
        heat: (s, s), nats per pixel.
        level: in the same unit.
        size: height and width (h, w) of the image, in whose pixels the regions are.
    """
    from scipy import ndimage

    labels, count = ndimage.label(heat > level, structure=np.ones((3, 3)))
    down, across = size[0] / heat.shape[0], size[1] / heat.shape[1]
    regions = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        inside = heat[rows, columns][labels[rows, columns] == number]
        regions.append(
            Region(
                top=int(np.floor(rows.start * down)),
                left=int(np.floor(columns.start * across)),
                bottom=int(np.ceil(rows.stop * down)),
                right=int(np.ceil(columns.stop * across)),
                area=float(inside.size * down * across),
                peak=float(inside.max()),
                nats=float(inside.sum()),
            )
        )
    assert len(regions) == count
    return sorted(regions, key=lambda region: -region.peak)
