"""NIfTI through nibabel: slices of volumes, and maps back into a volume's geometry."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from entropix.data._blocks import Decoded
from entropix.data._scale import MAX_VALUES, robust_scale
from entropix.data._select import AXES, Select
from entropix.exceptions import DataError

SUFFIXES = (".nii", ".nii.gz")
# Files that lie beside an image and say where something is in it: not images.
MASK_ENDINGS = ("_seg", "_mask", "_label", "_labels")
# A slice that spans less of the volume's range shows nothing.
EMPTY_SPAN = 0.01
# Deflate makes a file at most this many times smaller.
DEFLATE_RATIO = 1032


def stem(path: Path) -> str:
    """The name of a NIfTI file without .nii or .nii.gz."""
    return path.name[: -len(".nii.gz" if path.name.lower().endswith(".gz") else ".nii")]


def is_mask(path: Path) -> bool:
    """Whether a NIfTI file is, by its name, the mask of an image beside it."""
    return path.name.lower().endswith(SUFFIXES) and stem(path).lower().endswith(MASK_ENDINGS)


def decode(path: Path, select: Select) -> Decoded:
    """Slices (1, h, w) on [0, 1] as radiologists see them: axial and coronal with the patient's right at left,
    sagittal facing left; anterior or head up.

    The volume is brought to the closest canonical orientation; `numbers` count slices along its axis, empty ones
    left out. Unscaled 8-bit volumes are divided by 255, others cover the 0.5 to 99.5 percentile of the volume.

    Raises:
        DataError: not a volume of real numbers, a header that claims more than the file holds, or nothing in it.
            Others as nibabel raises them.
    """
    import nibabel

    image: Any = nibabel.load(path)
    dtype = image.get_data_dtype()
    if not isinstance(image, nibabel.Nifti1Image):  # Nifti2Image is one
        raise DataError(f"a {type(image).__name__}; expected a NIfTI volume")
    _check_header(path, image, dtype)
    stored_scale = getattr(image.dataobj, "slope", 1.0), getattr(image.dataobj, "inter", 0.0)
    values = canonical(_volume(image, select.component), image.affine)
    eight_bit = dtype == np.uint8 and stored_scale == (1.0, 0.0)
    values = values / np.float32(255) if eight_bit else robust_scale(values)
    axis = AXES.index(select.axis)
    numbers = range(values.shape[axis])[slice(*select.slices)]
    if not numbers:
        raise DataError(f"no slice {select.slices} among the {values.shape[axis]} {select.axis} ones")
    planes = {k: np.take(values, k, axis) for k in numbers}
    kept = {k: plane for k, plane in planes.items() if not np.ptp(plane) < EMPTY_SPAN}
    if not kept:
        raise DataError(f"all {len(numbers)} slices of the volume are empty")
    frames = [np.ascontiguousarray(plane[::-1, ::-1].T)[None] for plane in kept.values()]
    return Decoded(frames, "source", list(kept), kind="NIfTI", bits=8 * dtype.itemsize)


def canonical(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """A volume (3 axes) with its axes turned to point right, forward and up."""
    return np.ascontiguousarray(_reorient(volume, _orientation(affine)))


def into_volume(maps: dict[int, np.ndarray], shape: tuple[int, ...], affine: np.ndarray, axis: str) -> np.ndarray:
    """Maps (h, w) of slices, by number, in a volume of `shape` and `affine`: the way back from `decode`.

    float32; 0 in slices without a map.
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


def _check_header(path: Path, image: Any, dtype: np.dtype) -> None:
    """Refuse what is no volume of real numbers, or cannot be in a file of this size."""
    shape = image.shape
    if dtype.kind not in "iuf":
        raise DataError(f"NIfTI voxels of dtype {dtype}; expected real numbers")
    if math.prod(shape) > MAX_VALUES or min(shape, default=0) < 1:
        raise DataError(f"header claims shape {shape}; expected 1 to {MAX_VALUES} voxels")
    room = path.stat().st_size * (DEFLATE_RATIO if path.name.lower().endswith(".gz") else 1)
    if math.prod(shape) * dtype.itemsize > room:
        raise DataError(
            f"header claims shape {shape} of {dtype}, more than a file of {path.stat().st_size} bytes holds"
        )


def _volume(image: Any, component: int | None) -> np.ndarray:
    """The 3-D volume, or one of a 4-D file, float32."""
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 4:
        if component is None:
            choose = f"choose one of its {shape[3]} volumes with component= (--select component=0)"
            raise DataError(f"NIfTI image of shape {image.shape}; {choose}")
        if not -shape[3] <= component < shape[3]:
            raise DataError(f"component={component}, but the NIfTI image has {shape[3]} volumes")
        part = image.dataobj[(slice(None),) * 3 + (component,) + (0,) * (image.ndim - 4)]
        return np.asarray(part, dtype=np.float32).reshape(shape[:3])
    if len(shape) not in (2, 3):
        raise DataError(f"NIfTI image of shape {image.shape}; expected a 3-D or 4-D volume")
    return np.asarray(image.dataobj, dtype=np.float32).reshape((*shape, 1)[:3])
