"""The values of masks, in the geometry of the images that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from entropix.data._imageset import ImageSet
from entropix.data._select import AXES, Select
from entropix.data.formats import VOLUMES, as_seen, by_number, canonical_mask, decode, format_of
from entropix.exceptions import DataError

HALF = 0.5  # of the range: JPEG blurs the edges of a mask


def read_mask(images: ImageSet, indices: Sequence[int]) -> np.ndarray:
    """Return where something is in images of one file, bool (k, h, w), by all of its masks; h, w as in the file.

    Raises:
        DataError: a mask of another size, or that lies elsewhere.
        Exception: others as the libraries raise them for damaged files.
    """
    path, size = images.origins[indices[0]].path, tuple(images.sizes[indices[0]].tolist())
    assert path is not None  # an array has no masks
    numbers = [images.origins[i].frame for i in indices]
    found = np.zeros((len(indices), *size), dtype=bool)
    for mask in images.masks.get(path, ()):
        planes = _planes(mask, path, numbers, images.select.axis)
        if any(plane.shape != size for plane in planes):
            told = " x ".join(map(str, planes[0].shape))
            raise DataError(f"{mask.name} has {told} pixels, the image {size[0]} x {size[1]}")
        found |= np.stack(planes)
    return found


def _planes(mask: Path, image: Path, numbers: Sequence[int | None], axis: str) -> list[np.ndarray]:
    """Return where a mask is set in the images of these numbers, each (h, w)."""
    volumes = [format_of(path).names[0] in VOLUMES for path in (mask, image)]
    if all(volumes):
        volume = canonical_mask(mask, image)
        return [as_seen(np.take(volume, number or 0, AXES.index(axis))) for number in numbers]
    if any(volumes):
        raise DataError(f"one of {mask.name} and its image is a volume: how they lie on each other is not known")
    decoded = decode(mask, Select(), keep_ids=False)
    frames = by_number(decoded)
    level = HALF * max(float(frame.max()) for frame in decoded.frames) if decoded.kind == "JPEG" else 0
    if (None in frames) != (None in numbers):
        have, has = ("one image", "several") if None in frames else ("several", "one image")
        raise DataError(f"{mask.name} holds {have}, {image.name} {has}; expected as many in both")
    try:
        return [frames[number].max(0) > level for number in numbers]
    except KeyError as error:
        raise DataError(f"{mask.name} has no page {error.args[0]}") from None
