"""NIfTI volumes through nibabel: axial slices."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from entropix.data.imageset import DataError
from entropix.data.prepare import Decoded
from entropix.data.scale import MAX_VALUES, robust_scale

SUFFIXES = (".nii", ".nii.gz")
# A slice that spans less of the volume's range shows nothing.
EMPTY_SPAN = 0.01


def decode(path: Path) -> Decoded:
    """Axial slices (1, h, w) on [0, 1] as radiologists see them: anterior up, the patient's right at left.

    The volume is brought to the closest canonical orientation and cut along its last axis; `numbers` count
    slices from the feet, empty slices left out. Unscaled 8-bit volumes are divided by 255, others cover the
    0.5 to 99.5 percentile of the volume.

    Raises:
        DataError: not a volume of real numbers, or nothing in it. Others as nibabel raises them.
    """
    import nibabel

    image: Any = nibabel.load(path)
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (2, 3):
        raise DataError(f"NIfTI image of shape {image.shape}; expected a 3-D volume: save one volume of it")
    if math.prod(shape) > MAX_VALUES or min(shape) < 1:
        raise DataError(f"header claims shape {shape}; expected 1 to {MAX_VALUES} voxels")
    dtype = image.get_data_dtype()
    if dtype.kind not in "iuf":
        raise DataError(f"NIfTI voxels of dtype {dtype}; expected real numbers")
    stored_scale = getattr(image.dataobj, "slope", 1.0), getattr(image.dataobj, "inter", 0.0)
    if image.ndim != 3:
        shape = (*shape, 1)[:3]
        image = nibabel.Nifti1Image(np.asarray(image.dataobj, dtype=np.float32).reshape(shape), image.affine)
    values = np.asarray(nibabel.as_closest_canonical(image).dataobj, dtype=np.float32)
    eight_bit = dtype == np.uint8 and stored_scale == (1.0, 0.0)
    values = values / np.float32(255) if eight_bit else robust_scale(values)
    kept = [k for k in range(values.shape[2]) if not np.ptp(values[:, :, k]) < EMPTY_SPAN]
    if not kept:
        raise DataError(f"all {values.shape[2]} slices of the volume are empty")
    frames = [np.ascontiguousarray(values[::-1, ::-1, k].T)[None] for k in kept]
    return Decoded(frames, "source", kept)
