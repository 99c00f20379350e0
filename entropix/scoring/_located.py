"""Heat maps against the masks that lie beside the images: how well they say where something is.

Masks are for reporting; nothing is chosen by them. Maps are compared in the size of the source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entropix.data import ImageSet, read_mask
from entropix.data.formats import resize_map
from entropix.scoring._overlap import Overlap, levels_of


@dataclass(frozen=True)
class Located:
    """How well heat maps fit masks.

    Attributes:
        rows: for each file with a mask its name, numbers of voxels, lesion_voxels and regions, and ap, best_dice and
            aupro (`entropix.scoring.Overlap`), which are missing where nothing or all is marked.
        overall: the same of all voxels, those of files that are known to be normal too; empty without masks.
        unusable: (name, reason) of files whose masks can't be used, and of masks that may be of any image.
    """

    rows: list[dict[str, Any]]
    overall: dict[str, float]
    unusable: list[tuple[str, str]]


def locate(images: ImageSet, maps_of: Callable[[ImageSet], np.ndarray]) -> Located:
    """Compare heat maps with masks.

    Args:
        images: images; `masks` says which files have some.
        maps_of: gives heat maps (n, s, s), such as `EntropixDetector.surprise_maps`; only called if there are masks.
    """
    if not images.masks:
        return Located([], {}, images.masks_of_none())
    files = _files(images)
    maps = maps_of(images)
    levels = levels_of(maps)
    overall = Overlap(levels)
    rows: list[dict[str, Any]] = []
    unusable = images.masks_of_none()
    for path, indices in files.items():
        name = images.origins[indices[0]].volume or images.names[indices[0]]
        try:
            mask = read_mask(images, indices)
        except Exception as error:  # a damaged mask makes its reader raise anything
            unusable.append((name, str(error) or type(error).__name__))
            continue
        one = Overlap(levels)
        size = mask.shape[1:]
        one.add(np.stack([resize_map(maps[i], size) for i in indices]), mask)
        overall.merge(one)
        if path in images.masks:
            rows.append({"path": name, **one.counts, **one.metrics()})
    return Located(rows, overall.counts | overall.metrics() if rows else {}, unusable)


def _files(images: ImageSet) -> dict[Path, list[int]]:
    """Return the images of each file of which it is known where something is: by a mask, or as it is normal."""
    found: dict[Path, list[int]] = defaultdict(list)
    for i, origin in enumerate(images.origins):
        if origin.path is not None and (origin.path in images.masks or images.labels[i] == 0):
            found[origin.path].append(i)
    return found
