"""Where the heat of an image lies: in the body, outside of it, or at the edge of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DARK = 0.05  # of an image's range: what is darker, and connected with the edge, is background
FRAME = 16  # the frame is a sixteenth of the image's side wide


@dataclass(frozen=True)
class Place:
    """A share of the heat, and the share of the area that it lies on: heat that is spread evenly has both alike.

    Attributes:
        heat: share of the heat, 0 to 1.
        area: share of the area, 0 to 1.
    """

    heat: float
    area: float

    @property
    def suspicious(self) -> bool:
        """Whether there is so much more heat here than on an equal area elsewhere that it is to be looked into."""
        return self.heat > max(0.1, 1.5 * self.area)


@dataclass(frozen=True)
class Places:
    """Two places apart.

    Attributes:
        outside: dark background that is connected with the edge of the picture, taken for outside of the body.
        frame: the outermost pixels of the picture, as far as they are not background.
    """

    outside: Place
    frame: Place


def places(images: np.ndarray, heat: np.ndarray) -> Places:
    """Return how much of the heat lies where no body is, and at the edge.

    Args:
        images: (n, c, s, s) on [0, 1].
        heat: (n, s, s), not negative.
    """
    outside = np.stack([_background(image.mean(0)) for image in images])
    width = max(1, heat.shape[-1] // FRAME)
    frame = np.ones(heat.shape, bool)
    frame[:, width:-width, width:-width] = False
    frame &= ~outside
    total = max(float(heat.sum()), 1e-12)
    found = (Place(float(heat[mask].sum()) / total, float(mask.mean())) for mask in (outside, frame))
    return Places(*found)


def _background(grey: np.ndarray) -> np.ndarray:
    """Return a mask (s, s) of the dark pixels that are connected with the edge of an image (s, s)."""
    from scipy import ndimage

    low, high = float(grey.min()), float(np.quantile(grey, 0.99))
    labels, _ = ndimage.label(grey <= low + DARK * (high - low))
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, edge[edge > 0])
