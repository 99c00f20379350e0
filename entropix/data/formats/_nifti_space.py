"""How a NIfTI volume lies in the patient: to axes that point right, forward and up, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from entropix.data._select import AXES
from entropix.exceptions import DataError


def canonical(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a volume (3 axes) with its axes turned to point right, forward and up."""
    return np.ascontiguousarray(_reorient(volume, _orientation(affine)))


def canonical_volume(path: Path) -> np.ndarray:
    """Return the stored volume of a NIfTI file, a mask for example, with its axes turned as `canonical` does."""
    import nibabel

    image: Any = nibabel.load(path)
    return canonical(np.asarray(image.dataobj), image.affine)


def as_seen(plane: np.ndarray) -> np.ndarray:
    """Return a plane of a canonical volume as an image (h, w): its second axis points up, its first to the left."""
    return plane[::-1, ::-1].T


def into_volume(maps: dict[int, np.ndarray], shape: tuple[int, ...], affine: np.ndarray, axis: str) -> np.ndarray:
    """Return maps (h, w) of slices in a volume float32 of the `shape` and `affine` that they were cut from.

    Args:
        maps: by the number of the slice along the patient's axis; slices without one are 0.
        shape, affine: of the volume as it is stored.
        axis: across which it was cut, one of `AXES`.
    """
    from nibabel.orientations import ornt_transform

    there = _orientation(affine)
    turned = _reorient(np.zeros((*shape, 1)[:3], dtype=np.float32), there)
    for number, one in maps.items():
        place: list[Any] = [slice(None)] * 3
        place[AXES.index(axis)] = number
        turned[tuple(place)] = one.T[::-1, ::-1]
    identity = np.array([[0, 1], [1, 1], [2, 1]])
    return np.ascontiguousarray(_reorient(turned, ornt_transform(identity, there)))


def _orientation(affine: np.ndarray) -> np.ndarray:
    from nibabel.orientations import io_orientation

    orientation = io_orientation(affine) if np.isfinite(affine).all() else np.full((3, 2), np.nan)
    if np.isnan(orientation).any():
        raise DataError("the header's affine matrix does not say how the volume lies; repair it (sform or qform)")
    return orientation


def _reorient(volume: np.ndarray, orientation: np.ndarray) -> np.ndarray:
    from nibabel.orientations import apply_orientation

    return apply_orientation(volume, orientation)
