"""Damaged and lying files: images or DataError, in bounded time and memory.

A few hundred cases here; ten thousand, as they were run once: pytest -m slow tests/data/test_data_fuzz.py
"""

import faulthandler
import gzip
import tempfile
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from damaged import EDITS, SECONDS, bounded, damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.testing import data_path
from PIL import Image
from pydicom.data import get_testdata_file

from entropix.data import DataError, Select, read

DICOM = (
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPGExtended.dcm",
    "JPEG2000.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "rtdose_1frame.dcm",
    "liver_1frame.dcm",
)
NAMES = ("a.png", "a.jpg", "a.bmp", "a.tif", "b.tif", "b.nii", "b.nii.gz", "c.nii.gz", "d.nrrd", *DICOM)
LARGEST_FILE_KIB = 350


@cache
def whole() -> dict[str, bytes]:
    """Whole files by name, of every format that is read."""
    image = np.random.default_rng(0).integers(0, 256, (24, 20), dtype=np.uint8)
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("a.png", "a.jpg", "a.bmp", "a.tif", "b.nii", "b.nii.gz")]
        for path in paths[:4]:
            Image.fromarray(image).save(path)
        Image.fromarray(image).save(Path(folder) / "b.tif", compression="tiff_deflate")
        for path in paths[4:]:
            nibabel.save(nibabel.Nifti1Image(np.stack([image] * 3, -1).astype(np.int16), np.eye(4)), path)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 20 24 3\nendian: little\n"
        "space directions: (1,0,0) (0,1,0) (0,0,2)\nencoding: gzip\nspace origin: (0,0,0)\n\n"
    )
    files["d.nrrd"] = header.encode() + gzip.compress(np.stack([image] * 3).astype("<i2").tobytes())
    files["c.nii.gz"] = (Path(data_path) / "example4d.nii.gz").read_bytes()
    files |= {name: Path(get_testdata_file(name)).read_bytes() for name in DICOM}
    assert max(map(len, files.values())) <= LARGEST_FILE_KIB * 2**10
    assert sorted(files) == sorted(NAMES)
    return files


def check(name: str, content: bytes, folder: Path) -> None:
    """Read one damaged file: finite images, or a reason that is not a lack of memory, soon."""
    path = folder / name
    path.write_bytes(content)
    select = Select(component=0 if name == "c.nii.gz" else None)
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        images, reason = read(path, image_size=8, cache=False, select=select).pixels, ""
    except DataError as error:
        images, reason = torch.empty(0), str(error)
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert torch.isfinite(images).all()
    assert "MemoryError" not in reason
    assert "allocate" not in reason


__all__ = ["bounded"]  # a fixture
CASE = {"name": st.sampled_from(NAMES), "inside": st.booleans(), "edits": EDITS}


@pytest.mark.usefixtures("bounded")
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(**CASE)
def test_damaged_files(tmp_path: Path, name: str, inside: bool, edits: list[tuple[str, int, int]]) -> None:
    check(name, damage(name, whole()[name], inside, edits), tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("bounded")
@settings(max_examples=10_000, suppress_health_check=list(HealthCheck), database=None)
@given(**CASE)
def test_ten_thousand_damaged_files(tmp_path: Path, name: str, inside: bool, edits: list[tuple[str, int, int]]) -> None:
    check(name, damage(name, whole()[name], inside, edits), tmp_path)
