"""NIfTI through nibabel, NRRD through pynrrd: slices of volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from entropix.data._bids import entities
from entropix.data._blocks import Decoded
from entropix.data._names import case_and_contrast
from entropix.data._passed_over import MASK_BY_CONTENT
from entropix.data._scale import MAX_VALUES, robust_scale
from entropix.data._select import AXES, Select
from entropix.data.formats._format import Format, OtherSeries, PassedOver, has_mask_values
from entropix.data.formats._maps import FileMaps, MapFolder
from entropix.data.formats._nifti_maps import write_derivative, write_map
from entropix.data.formats._nifti_space import as_seen, canonical, open_volume
from entropix.data.formats._nrrd import is_nrrd
from entropix.exceptions import DataError

# A slice that spans less of the volume's range shows nothing.
EMPTY_SPAN = 0.01
# Deflate makes a file at most this many times smaller.
DEFLATE_RATIO = 1032


class Nifti(Format):
    """NIfTI-1 and NIfTI-2 in one file, compressed or not; heat maps are volumes of the same shape and affine."""

    names = ("NIfTI",)
    suffixes: ClassVar[tuple[str, ...]] = (".nii", ".nii.gz")

    def decode(self, path: Path, select: Select, keep_ids: bool) -> Decoded:
        """Return slices (1, h, w) on [0, 1] as radiologists see them, those left out that show nothing.

        The volume is brought to the closest canonical orientation. Axial and coronal slices have the patient's right
        at left, sagittal ones face left; anterior or head is up. `numbers` count slices along the patient's axis.

        Raises:
            PassedOver: a mask, by its values.
            OtherSeries: `select` names a series, and the name of the file another contrast or none.
            DataError: not a volume of real numbers, a header that claims more than the file holds, or nothing in it.
            Exception: others as nibabel raises them.
        """
        contrast = case_and_contrast(path.as_posix())[1]
        if not select.wants_series(contrast):
            raise OtherSeries(f"suffix {contrast}" if contrast else "a NIfTI file whose name has no suffix or contrast")
        values, bits = _read(path, select.component)
        planes = _planes(values, select)
        kept = {number: plane for number, plane in planes.items() if not np.ptp(plane) < EMPTY_SPAN}
        if not kept:
            raise DataError(f"all {len(planes)} slices of the volume are empty")
        frames = [np.ascontiguousarray(as_seen(plane))[None] for plane in kept.values()]
        return Decoded(frames, "source", list(kept), kind=self.names[0], bits=bits)

    def is_mask(self, path: Path) -> bool:
        """Return whether a file is called as masks are: scan_seg.nii.gz, seg.nii.gz."""
        return self.called_mask(path)

    def write_maps(self, folder: MapFolder, files: Sequence[FileMaps]) -> None:
        """Write volumes with shape, affine and codes of the space of their sources; of BIDS files as a derivative."""
        for file in files:
            ending = _ending(file.path)
            if entities(file.name):
                write_derivative(folder, file, ending)
            else:
                write_map(folder.place(file.name, ending), file, folder)


class Nrrd(Nifti):
    """NRRD in one file; heat maps are NIfTI volumes of the same shape and place."""

    names = ("NRRD",)
    suffixes = (".nrrd",)

    def sniff(self, path: Path) -> bool:
        """Return whether the file begins as NRRD does."""
        return is_nrrd(path)


def _ending(path: Path) -> str:
    """Return .nii of a file that is called so, and .nii.gz of any other."""
    return ".nii" if path.name.lower().endswith(".nii") else ".nii.gz"


def _read(path: Path, component: int | None) -> tuple[np.ndarray, int]:
    """Return a volume on [0, 1] in canonical orientation, and the bits in which a value is stored.

    Unscaled 8-bit volumes are divided by 255, others cover the 0.5 to 99.5 percentile of the volume.
    """
    import nibabel

    image = open_volume(path)
    dtype = image.get_data_dtype()
    if not isinstance(image, nibabel.Nifti1Image):  # Nifti2Image is one
        raise DataError(f"a {type(image).__name__}; expected a NIfTI volume")
    _check_header(path, image, dtype)
    stored_scale = getattr(image.dataobj, "slope", 1.0), getattr(image.dataobj, "inter", 0.0)
    values = canonical(_volume(image, component), image.affine)
    if values.any() and has_mask_values(values):
        raise PassedOver(MASK_BY_CONTENT)
    eight_bit = dtype == np.uint8 and stored_scale == (1.0, 0.0)
    return values / np.float32(255) if eight_bit else robust_scale(values), 8 * dtype.itemsize


def _planes(values: np.ndarray, select: Select) -> dict[int, np.ndarray]:
    """Return the planes that are to be read, by their number."""
    axis = AXES.index(select.axis)
    numbers = range(values.shape[axis])[slice(*select.slices)]
    if not numbers:
        raise DataError(f"no slice {select.slices} among the {values.shape[axis]} {select.axis} ones")
    return {number: np.take(values, number, axis) for number in numbers}


def _check_header(path: Path, image: Any, dtype: np.dtype) -> None:
    """Refuse what is no volume of real numbers, or cannot be in a file of this size."""
    shape = image.shape
    if dtype.kind not in "iuf":
        raise DataError(f"voxels of dtype {dtype}; expected real numbers")
    if math.prod(shape) > MAX_VALUES or min(shape, default=0) < 1:
        raise DataError(f"header claims shape {shape}; expected 1 to {MAX_VALUES} voxels")
    size = path.stat().st_size
    room = size * (DEFLATE_RATIO if _ending(path) == ".nii.gz" else 1)
    if math.prod(shape) * dtype.itemsize > room:
        raise DataError(f"header claims shape {shape} of {dtype}, more than a file of {size} bytes holds")


def _volume(image: Any, component: int | None) -> np.ndarray:
    """Return the 3-D volume, or one of a 4-D file: float32, or float64 as it is stored, for the ends of its range."""
    shape, kind = image.shape, np.float64 if image.get_data_dtype() == np.float64 else np.float32
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 4:
        if component is None:
            choose = f"choose one of its {shape[3]} volumes with component= (--select component=0)"
            raise DataError(f"a volume of shape {image.shape}; {choose}")
        if not -shape[3] <= component < shape[3]:
            raise DataError(f"component={component}, but the file has {shape[3]} volumes")
        part = image.dataobj[(slice(None),) * 3 + (component,) + (0,) * (image.ndim - 4)]
        return np.asarray(part, dtype=kind).reshape(shape[:3])
    if len(shape) not in (2, 3):
        raise DataError(f"a volume of shape {image.shape}; expected a 3-D or 4-D volume")
    return np.asarray(image.dataobj, dtype=kind).reshape((*shape, 1)[:3])
