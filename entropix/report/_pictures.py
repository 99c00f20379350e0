"""Images with their heat maps laid over them, and the normal images that are most like them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from entropix.data import ImageSet
from entropix.data.formats import resize_map
from entropix.detector import EntropixDetector
from entropix.ops import knn
from entropix.report._detail import in_detail
from entropix.report._figures import grey_png, heat_png, outline
from entropix.report._scores import Scores
from entropix.report._where import Places, places
from entropix.scoring import PEAK, find_regions

LARGE, SMALL = 384, 128  # most pixels of a side: of a picture, of a normal image beside it
NEIGHBOURS = 3


@dataclass(frozen=True)
class Small:
    """A picture without a heat map: its name, size in pixels, and a data URI."""

    name: str
    height: int
    width: int
    uri: str


@dataclass(frozen=True)
class Picture:
    """An image as the page shows it.

    Attributes:
        name: of the image.
        label: 0 normal, 1 abnormal, -1 unknown.
        score: default score.
        p: p-value of it.
        local: share of the score that the heat map sums to; None if the score is not positive.
        image: the image.
        heat: data URI of the heat map, to be stretched over the image.
        outline: SVG path around the regions, in pixels of the image.
        n_regions: how many there are.
        reconstruction: what the model makes of the image.
        nearest: normal images, the nearest first.
    """

    name: str
    label: int
    score: float
    p: float
    local: float | None
    image: Small
    heat: str
    outline: str
    n_regions: int
    reconstruction: Small
    nearest: list[Small] = field(default_factory=list)


class NormalImages:
    """The images of the fit, to look up those that are nearest by code.

    The distance is that of the reconstructions. They are what a code says of an image, and unlike the code's own
    coordinates they have one unit and no scale that a training leaves open.

    Args:
        detector: that they were fitted with.
        source: anything `entropix.data.read` takes; of a folder those files that the fit's globs chose.
    """

    def __init__(self, detector: EntropixDetector, source: Any) -> None:
        self.detector, self.source = detector, source
        settings = detector.settings_
        options: dict[str, Any] = {"skip_unreadable": bool(settings.get("unreadable"))}
        if isinstance(source, str | os.PathLike) and not Path(source).is_file():  # a folder, or a path with *
            options |= {name: settings.get(name, []) for name in ("include", "exclude")}
        self.images = detector.read(source, split="train", progress=True, **options)
        self.known = torch.from_numpy(detector.reconstruct(self.images)).flatten(1)

    def __len__(self) -> int:
        return len(self.images)

    def nearest(self, shown: ImageSet) -> list[list[Small]]:
        """Return up to three normal images for each of `shown`, the nearest first; none is the image itself."""
        query = torch.from_numpy(self.detector.reconstruct(shown)).flatten(1)
        k = min(NEIGHBOURS + 1, len(self.images))
        chosen = []
        for i, row in enumerate(knn(self.known, k, query=query).indices.tolist()):
            others = [j for j in row if not torch.equal(self.images.pixels[j], shown.pixels[i])]
            chosen.append(others[:NEIGHBOURS])
        needed = np.unique(np.array([j for row in chosen for j in row], np.int64))
        fine = in_detail(self.detector, self.source, self.images, needed, SMALL, split="train")
        small = {j: _small(self.images.names[j], one) for j, one in zip(needed.tolist(), fine, strict=True)}
        return [[small[j] for j in row] for row in chosen]


class Album:
    """Makes the pictures of a page, all on one scale of heat.

    Args:
        detector: that says where the surprise is.
        source: what the images were read from.
        images: as `detector.read` gave them.
        found: their scores.
        normal: images of the fit, where they are given.
        split: "train" or "test", as the images were read.
    """

    def __init__(
        self,
        detector: EntropixDetector,
        source: Any,
        images: ImageSet,
        found: Scores,
        normal: NormalImages | None,
        split: str = "test",
    ) -> None:
        self.detector, self.source, self.images, self.found, self.normal = detector, source, images, found, normal
        self.split = split
        calibration = detector.calibration_
        self.level = calibration.threshold(calibration.reachable(detector.alpha), PEAK)
        self.top = 2 * self.level

    def pictures(self, chosen: np.ndarray, longest: int = LARGE, compared: bool = True) -> list[Picture]:
        """Return the pictures of the images at indices (m,), with sides of at most `longest` pixels.

        `compared`: with the nearest normal images, where they are given.
        """
        if not len(chosen):
            return []
        shown = self.images.subset(chosen)
        nearest = self.normal.nearest(shown) if self.normal is not None and compared else [[] for _ in chosen]
        p = self.detector.calibration_.p_value(self.found.default[chosen])
        fine = in_detail(self.detector, self.source, self.images, chosen, longest, self.split)
        parts = (chosen, p, fine, self.detector.reconstruct(shown), self.detector.surprise_maps(shown), nearest)
        return [self._picture(*of_one) for of_one in zip(*parts, strict=True)]

    def places(self, chosen: np.ndarray) -> Places | None:
        """Return where the heat of the images at indices (m,) lies; None if there are none."""
        if not len(chosen):
            return None
        shown = self.images.subset(chosen)
        pixels = shown.scaled(self.detector.value_range_).numpy()
        return places(pixels, self.detector.surprise_maps(shown))

    def _picture(
        self, i: int, p: float, image: np.ndarray, x_hat: np.ndarray, heat: np.ndarray, nearest: list[Small]
    ) -> Picture:
        _, height, width = image.shape
        score = float(self.found.default[i])
        return Picture(
            name=self.found.names[i],
            label=int(self.found.labels[i]),
            score=score,
            p=float(p),
            local=min(1.0, float(heat.sum()) / score) if score > 0 else None,
            image=_small(self.found.names[i], image),
            heat=heat_png(heat, self.top),
            outline=outline(heat, self.level, height, width),
            n_regions=len(find_regions(heat, self.level, heat.shape)),
            reconstruction=_small("reconstruction", _as_wide_and_high(x_hat, height, width)),
            nearest=nearest,
        )


def _as_wide_and_high(x_hat: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a reconstruction (c, s, s) in the proportions of its image, with no more pixels than it has."""
    finest = max(x_hat.shape[1:]) / max(height, width)
    size = [max(1, round(finest * side)) for side in (height, width)]
    return np.stack([resize_map(channel, size) for channel in x_hat])


def _small(name: str, image: np.ndarray) -> Small:
    _, height, width = image.shape
    return Small(name, height, width, grey_png(image))
