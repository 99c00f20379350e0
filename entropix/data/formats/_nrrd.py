"""NRRD, which 3D Slicer writes, through pynrrd: as a NIfTI image in memory, so that all that follows is the same.

The values are unpacked here, as far as the header says: pynrrd would unpack all there is before it counts them.
"""

from __future__ import annotations

import bz2
import math
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from entropix._utils import install_hint
from entropix.data._scale import MAX_VALUES
from entropix.exceptions import DataError

if TYPE_CHECKING:
    from nibabel import Nifti1Image

BEGINNING = b"NRRD"
LARGEST_VALUE = 8  # bytes
# Which way the axes of each space point, of right, forward and up.
SPACES = {
    ("right-anterior-superior", "ras"): (1, 1, 1),
    ("left-anterior-superior", "las"): (-1, 1, 1),
    ("left-posterior-superior", "lps"): (-1, -1, 1),
}


def is_nrrd(path: Path) -> bool:
    """Return whether a file begins as NRRD does."""
    with path.open("rb") as file:
        return file.read(len(BEGINNING)) == BEGINNING


def read_nrrd(path: Path) -> Nifti1Image:
    """Return a volume as a nibabel image in the space of NIfTI; axes that are none of space come last.

    Raises:
        DataError: pynrrd is not installed, or a file that is not one volume in the space of a patient.
        Exception: others as pynrrd raises them.
    """
    try:
        import nrrd
    except ModuleNotFoundError:
        raise DataError(f"NRRD needs pynrrd: {install_hint('nrrd')}; or convert it to NIfTI") from None
    import nibabel

    with path.open("rb") as file:
        header = nrrd.read_header(file)
        content = _unpacked(file.read(), header)
    values = nrrd.read_data({**header, "encoding": "raw"}, BytesIO(content))
    directions = np.array(header.get("space directions", ()), dtype=float)
    signs = next((signs for names, signs in SPACES.items() if str(header.get("space", "")).lower() in names), None)
    spatial = np.isfinite(directions).all(-1) if directions.shape == (values.ndim, 3) else np.zeros(0, bool)
    if signs is None or spatial.sum() != 3:
        raise DataError(
            "the NRRD header does not say how three axes lie in a patient (space, space directions); "
            "save it as NIfTI, or as NRRD in RAS or LPS"
        )
    affine = np.eye(4)
    affine[:3] = np.c_[directions[spatial].T, header.get("space origin", np.zeros(3))] * np.array(signs)[:, None]
    volume = values.transpose([*np.flatnonzero(spatial), *np.flatnonzero(~spatial)])
    image = nibabel.Nifti1Image(volume, affine, dtype=volume.dtype)
    image.header.set_xyzt_units("mm")
    return image


def _unpacked(content: bytes, header: Any) -> bytes:
    """Return the values, but no more than the header says."""
    if "data file" in header or "datafile" in header:
        raise DataError("an NRRD header whose values lie in another file; save both as one .nrrd file")
    if missing := [name for name in ("sizes", "encoding") if name not in header]:
        raise DataError(f"an NRRD header without {' and '.join(missing)}")
    claimed = math.prod(int(length) for length in header["sizes"])
    if not 1 <= claimed <= MAX_VALUES:
        raise DataError(f"header claims {claimed} values; expected 1 to {MAX_VALUES}")
    encoding, most = header["encoding"], claimed * LARGEST_VALUE
    if encoding == "raw":
        return content
    if encoding in ("gzip", "gz"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, most)
    if encoding in ("bzip2", "bz2"):
        return bz2.BZ2Decompressor().decompress(content, most)
    raise DataError(f"NRRD in the encoding {encoding!r}; save it as raw or gzip")
