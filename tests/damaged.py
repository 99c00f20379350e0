"""Whole files to damaged and lying ones, for fuzzing."""

import gzip
import os
import resource
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

# No file may make the process ask for this much more memory (MiB), or take longer than this (s).
MEMORY_MIB = 1536
SECONDS = 30
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 32_767, 32_768, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
TEXTS = (b"-1", b"0 ", b"1e300 ", b"-1e300", b"nan ", b"2147483647", b"9999", b"", b"1\\2 ")
PIXEL_DATA = b"\xe0\x7f\x10\x00"
# Rows to planar configuration, and texts that are put before them: frames, window, rescale (PS3.6).
IMAGE_PIXEL = [b"\x28\x00" + struct.pack("<H", tag) for tag in (0x02, 0x06, 0x10, 0x11, 0x100, 0x101, 0x102, 0x103)]
FRAMES, WINDOW, SLOPE = (struct.pack("<HH", 0x28, tag) for tag in (0x08, 0x1051, 0x1053))


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
