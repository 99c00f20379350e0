"""Volumes on the page: a strip of slices each, and where along the volume the scores are high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entropix.data import ImageSet
from entropix.report._pictures import Album, Picture
from entropix.report._scores import Scores
from entropix.writers import Volume, aggregate, volumes

MOST_VOLUMES = 6
STRIP = 8  # slices that are shown
SLICE_PIXELS = 160


@dataclass(frozen=True)
class VolumeStrip:
    """A volume as the page shows it.

    Attributes:
        name: of the volume.
        score: of the volume, from the default scores of its slices.
        p: p-value of it among held-out normal volumes; None where the model knows none.
        n_slices: how many it has.
        n_flagged: how many of them stand out on their own.
        highest: number, from 1, of the slice that scores highest.
        name_of_highest: what that slice is called elsewhere on the page.
        numbers: numbers, from 1, of the slices that are shown.
        slices: their pictures.
    """

    name: str
    score: float
    p: float | None
    n_slices: int
    n_flagged: int
    highest: int
    name_of_highest: str
    numbers: list[int]
    slices: list[Picture]


def strips(album: Album, images: ImageSet, found: Scores, level: float) -> list[VolumeStrip]:
    """Return the volumes that score highest, the highest first; none where there are no volumes.

    Args:
        album: makes the pictures.
        images: the slices.
        found: their scores.
        level: score above which a slice stands out.
    """
    scored = [(aggregate(found.default[volume.slices]), volume) for volume in volumes(images)]
    scored.sort(key=lambda one: -one[0])
    return [_strip(album, found, level, score, volume) for score, volume in scored[:MOST_VOLUMES]]


def _strip(album: Album, found: Scores, level: float, score: float, volume: Volume) -> VolumeStrip:
    slices = np.array(volume.slices)
    values = found.default[slices]
    highest = int(values.argmax())
    known = album.detector.calibration_.volumes
    numbers = _spread(len(slices), highest)
    return VolumeStrip(
        name=volume.name,
        score=score,
        p=None if known is None else float(known.p_value(np.array([score]))[0]),
        n_slices=len(slices),
        n_flagged=int((values > level).sum()),
        highest=highest + 1,
        name_of_highest=found.names[slices[highest]],
        numbers=[i + 1 for i in numbers],
        slices=album.pictures(slices[numbers], SLICE_PIXELS, compared=False),
    )


def _spread(n: int, highest: int) -> list[int]:
    """Return indices of up to `STRIP` of n slices, evenly spread, with the nearest moved to `highest`."""
    numbers = np.unique(np.linspace(0, n - 1, min(STRIP, n)).round().astype(int))
    numbers[np.abs(numbers - highest).argmin()] = highest
    return [int(i) for i in numbers]
