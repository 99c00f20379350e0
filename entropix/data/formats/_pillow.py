"""PNG, JPEG, TIFF and BMP through Pillow."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from entropix.data._blocks import Decoded
from entropix.data._scale import real_values
from entropix.exceptions import DataError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp"})
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
# Modes that hold grey values as they are; all others are converted to RGB (palette, alpha, CMYK, ...).
GREY_MODES = frozenset({"1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"})


def decode(path: Path) -> Decoded:
    """Frames (c, h, w) of an image file: one, or each page of a TIFF. The EXIF orientation is applied.

    Raises:
        DataError: not an image, or more pixels than `PIL.Image.MAX_IMAGE_PIXELS`.
        OSError: damaged file, as Pillow reports it.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        # from memory: a file would be asked for as many bytes as a chunk claims to have, and make room for them
        image = Image.open(BytesIO(path.read_bytes()), formats=FORMATS)
    except UnidentifiedImageError:
        raise DataError("not a PNG, JPEG, TIFF or BMP image, or a damaged one") from None
    with image:
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        frames: list[np.ndarray] = []
        scales, bits = set(), 0
        for page in range(pages):
            image.seek(page)
            limit = Image.MAX_IMAGE_PIXELS
            if limit is not None and image.width * image.height > limit:
                raise DataError(f"{image.width} x {image.height} pixels, more than the {limit} that are allowed")
            stored = pixels(ImageOps.exif_transpose(image))
            bits = 1 if stored.dtype == bool else 8 * stored.dtype.itemsize
            values, scale = real_values(stored)
            frames.append(values[None] if values.ndim == 2 else values.transpose(2, 0, 1))
            scales.add(scale)
    if len(scales) > 1:
        raise DataError("pages of different bit depth; save them as separate files")
    numbers = list(range(pages)) if pages > 1 else None
    return Decoded(frames, scales.pop(), numbers, kind=str(image.format), bits=bits)


def pixels(image: Image.Image) -> np.ndarray:
    """(h, w) of a grey image, (h, w, 3) of any other; alpha is dropped."""
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("LA").getchannel(0))
    if image.mode not in GREY_MODES:
        image = image.convert("RGB")
    return np.asarray(image)
