"""Volumes of NIfTI and NRRD, and how they lie: to axes that point right, forward and up, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from entropix.data._select import AXES
from entropix.data.formats._nrrd import is_nrrd, read_nrrd
from entropix.exceptions import DataError

if TYPE_CHECKING:
    from nibabel import Nifti1Image

MOST_APART = 0.1  # voxels: headers round


def open_volume(path: Path) -> Nifti1Image:
    """Return a file as a nibabel image, by its content; NIfTI is read when values are asked for, NRRD at once."""
    import nibabel

    if is_nrrd(path):
        return read_nrrd(path)
    image: Nifti1Image = nibabel.load(path)  # type: ignore[assignment]  # it is told to take any format
    return image


def canonical(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a volume (3 axes) with its axes turned to point right, forward and up."""
    return np.ascontiguousarray(_reorient(volume, _orientation(affine)))


def canonical_mask(mask: Path, image: Path) -> np.ndarray:
    """Return where a mask is set, bool (x, y, z), turned as `canonical` turns the image; both are volumes.

    Raises:
        DataError: the voxels of the mask are not those of the image: another shape, or another place in the patient.
    """
    files = [open_volume(path) for path in (mask, image)]
    shapes = [_three(file.shape) for file in files]
    turns = [_orientation(file.affine) for file in files]
    turned = [[shape[i] for i in np.argsort(turn[:, 0])] for shape, turn in zip(shapes, turns, strict=True)]
    if turned[0] != turned[1] or (files[0].ndim > 3 and max(files[0].shape[3:]) > 1):
        found, expected = (
            " x ".join(map(str, [*one, *file.shape[3:]])) for one, file in zip(turned, files, strict=True)
        )
        raise DataError(f"{mask.name} has {found} voxels (to the right, front, head), the image {expected}")
    apart = _apart(files, shapes, turns)
    if apart > MOST_APART:
        raise DataError(
            f"{mask.name} lies elsewhere than its image, by up to {apart:.3g} of its voxels, as their headers say "
            "(affine): resample it to the image, or repair its header"
        )
    return canonical(np.asarray(files[0].dataobj).reshape(shapes[0]), files[0].affine) > 0


def _apart(files: Sequence[Any], shapes: Sequence[tuple[int, ...]], turns: Sequence[np.ndarray]) -> float:
    """Return how far the corners of two volumes of one turned shape are apart at most, in voxels of the second."""
    from nibabel.orientations import inv_ornt_aff

    first, second = (f.affine @ inv_ornt_aff(turn, shape) for f, shape, turn in zip(files, shapes, turns, strict=True))
    last = np.array(shapes[1])[np.argsort(turns[1][:, 0])] - 1
    corners = np.array([[*(np.array(which) * last), 1] for which in np.ndindex(2, 2, 2)]).T
    return float(np.abs((np.linalg.solve(second, first) @ corners - corners)[:3]).max())


def _three(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the first three lengths of a shape; those that it lacks are 1."""
    return (*shape, 1, 1)[:3]


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
