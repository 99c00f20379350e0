"""Damaged and lying files: images or DataError, in bounded time and memory.

A few hundred cases here; ten thousand, as they were run once: pytest -m slow tests/data/test_data_fuzz.py
"""

import faulthandler
import gzip
import os
import resource
import struct
import tempfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
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
NAMES = ("a.png", "a.jpg", "a.bmp", "a.tif", "b.tif", "b.nii", "b.nii.gz", "c.nii.gz", *DICOM)
# Of these files, none may make the process ask for this much more memory (MiB), or take longer than this (s).
LARGEST_FILE_KIB = 350
MEMORY_MIB = 1536
SECONDS = 30
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 32_767, 32_768, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
TEXTS = (b"-1", b"0 ", b"1e300 ", b"-1e300", b"nan ", b"2147483647", b"9999", b"", b"1\\2 ")
PIXEL_DATA = b"\xe0\x7f\x10\x00"
# Rows to planar configuration, and texts that are put before them: frames, window, rescale (PS3.6).
IMAGE_PIXEL = [b"\x28\x00" + struct.pack("<H", tag) for tag in (0x02, 0x06, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103)]
FRAMES, WINDOW, SLOPE = (struct.pack("<HH", 0x28, tag) for tag in (0x08, 0x1051, 0x1053))


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
    files["c.nii.gz"] = (Path(data_path) / "example4d.nii.gz").read_bytes()
    files |= {name: Path(get_testdata_file(name)).read_bytes() for name in DICOM}
    assert max(map(len, files.values())) <= LARGEST_FILE_KIB * 2**10
    assert sorted(files) == sorted(NAMES)
    return files


@pytest.fixture
def bounded() -> Iterator[None]:
    """The process cannot ask for more than the bound, and is killed with a traceback where it hangs."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_MIB * 2**20, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


KINDS = ("attribute", "text", "number", "bit", "cut", "lose", "repeat")
EDITS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 2**24), st.integers(0, 2**16)), min_size=1, max_size=5
)


def edit(content: bytearray, kind: str, place: int, choice: int) -> None:
    """One change, in place: a lie in a header, a flipped bit, a lost or repeated piece, a lost end."""
    if not content:
        return
    at = place % len(content)
    rows = content.find(IMAGE_PIXEL[2] + b"US")
    if kind == "attribute" and rows > 0:
        field = content.find(IMAGE_PIXEL[place % len(IMAGE_PIXEL)] + b"US")
        if field > 0:
            content[field + 8 : field + 10] = struct.pack("<H", NUMBERS[choice % len(NUMBERS)] & 0xFFFF)
    elif kind == "text" and rows > 0:
        text = TEXTS[choice % len(TEXTS)]
        tag, form = ((FRAMES, b"IS"), (WINDOW, b"DS"), (SLOPE, b"DS"))[place % 3]
        content[rows:rows] = tag + form + struct.pack("<H", len(text)) + text
    elif kind in ("attribute", "text", "number"):
        start = max(content.rfind(PIXEL_DATA), 0) if choice % 2 else 0
        size, order = (1, 2, 4)[choice % 3], ("little", "big")[place % 2]
        value = (NUMBERS[choice % len(NUMBERS)] % 256**size).to_bytes(size, order)
        at = start + place % 200
        content[at : at + size] = value
    elif kind == "bit":
        content[at] ^= 1 << choice % 8
    elif kind == "cut":
        del content[at:]
    elif kind == "lose":
        del content[at : at + choice % 64]
    else:
        content[at:at] = content[at : at + choice % 64]


def damage(name: str, content: bytes, inside: bool, edits: list[tuple[str, int, int]]) -> bytes:
    """The file after the edits, made `inside` of its compression if it is a .gz."""
    compressed = name.endswith(".gz") and inside
    changed = bytearray(gzip.decompress(content) if compressed else content)
    for one in edits:
        edit(changed, *one)
    if changed[:4] == b"\x89PNG":  # the header's checksum must not give the lie away
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    return gzip.compress(bytes(changed), 1) if compressed else bytes(changed)


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
