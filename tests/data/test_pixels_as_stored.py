"""Pixels are what the file says, whatever mode the decoder gives them; else the layout is named."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entropix.data import DataError, Select, read
from entropix.data.formats import decode

GREY = np.random.default_rng(0).integers(0, 256, (40, 32)).astype(np.uint8)


def tiff(path: Path, values: np.ndarray, photometric: int = 1, kind: int = 1, order: str = "<") -> Path:
    """An uncompressed TIFF (h, w) by hand, as Pillow writes few of them."""
    values = values.astype(values.dtype.newbyteorder(order))  # type: ignore[arg-type]
    data, (height, width) = values.tobytes(), values.shape
    tags = [(256, 3, width), (257, 3, height), (258, 3, 8 * values.dtype.itemsize), (259, 3, 1), (262, 3, photometric)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 3, height), (279, 4, len(data)), (339, 3, kind)]
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(data)) + data
    content += struct.pack(f"{order}H", len(tags))
    for tag, of, value in tags:
        cell = struct.pack(f"{order}HH", value, 0) if of == 3 else struct.pack(f"{order}I", value)
        content += struct.pack(f"{order}HHI", tag, of, 1) + cell
    path.write_bytes(content + bytes(4))
    return path


def png(path: Path, values: np.ndarray, colour: int) -> Path:
    """A PNG of 16 bits, (h, w) or (h, w, c)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


WORDS = GREY.astype(np.uint16) * 257


@pytest.mark.parametrize(
    ("values", "photometric", "kind", "expected"),
    [
        (GREY, 0, 1, (255 - GREY.astype(float)) / 255),
        (WORDS, 0, 1, 65535.0 - WORDS),
        (WORDS, 1, 1, WORDS),
        (WORDS.astype(np.int16), 1, 2, WORDS.astype(np.int16)),
        ((GREY.astype(int) - 128).astype(np.int8), 1, 2, GREY - 128.0),
        (GREY.astype(np.uint32) << 24, 1, 1, GREY * 2.0**24),
        (GREY.astype(np.int32) - 99, 1, 2, GREY - 99.0),
        (GREY.astype(np.float32) / 7, 1, 3, GREY / np.float32(7)),
    ],
)
def test_tiff(values: np.ndarray, photometric: int, kind: int, expected: np.ndarray, tmp_path: Path) -> None:
    path = tiff(tmp_path / "x.tif", values, photometric, kind)
    np.testing.assert_allclose(decode(path, Select(), False).frames[0][0], expected, rtol=1e-6)
    with Image.open(path) as image:  # one that the caller has opened
        pixels = read([image], image_size=64).pixels
    np.testing.assert_array_equal(pixels, read(path, image_size=64, cache=False).pixels)


@pytest.mark.parametrize(
    ("values", "photometric", "kind", "order", "told"),
    [
        (GREY.astype(np.float64), 1, 3, "<", r"1 sample\(s\) of 64 bits, floating-point, grey; convert it"),
        (GREY.astype(np.float16), 1, 3, "<", r"16 bits, floating-point, grey"),
        (WORDS, 0, 1, ">", r"16 bits, unsigned, grey \(min is white\)"),
        (GREY.view(np.int8), 0, 2, "<", r"8 bits, signed, grey \(min is white\)"),
    ],
)
def test_a_layout_that_is_not_read_is_named(
    values: np.ndarray, photometric: int, kind: int, order: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=told):
        decode(tiff(tmp_path / "x.tif", values, photometric, kind, order), Select(), False)


def test_sixteen_bits_are_not_cut_to_eight(tmp_path: Path) -> None:
    twelve = np.random.default_rng(1).integers(0, 4096, (32, 32)).astype(np.uint16)
    np.testing.assert_array_equal(decode(png(tmp_path / "x.png", twelve, 0), Select(), False).frames[0][0], twelve)
    for colour, channels in ((2, 3), (4, 2), (6, 4)):
        path = png(tmp_path / "x.png", np.dstack([twelve] * channels), colour)
        with pytest.raises(
            DataError, match=r"16 bits a value in colour or with alpha .* save it in grey without alpha"
        ):
            decode(path, Select(), False)
        with Image.open(path) as image, pytest.raises(DataError, match="item 0: 16 bits a value"):
            read([image])


def test_copies_in_a_pyramid_are_no_images(tmp_path: Path) -> None:
    image, other = Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())
    small = image.resize((8, 10))
    small.encoderinfo = {"tiffinfo": {254: 1}}  # type: ignore[attr-defined]
    image.save(tmp_path / "p.tif", save_all=True, append_images=[small])
    assert read(tmp_path / "p.tif", image_size=16, cache=False).names == ["p.tif"]
    image.save(tmp_path / "q.tif", save_all=True, append_images=[small, other])
    assert read(tmp_path / "q.tif", image_size=16, cache=False).names == ["q.tif#0", "q.tif#2"]


def test_an_image_in_memory_is_turned_as_a_file_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        pixels = read([image], image_size=32).pixels
    np.testing.assert_array_equal(pixels, read(tmp_path / "a.png", image_size=32, cache=False).pixels)
