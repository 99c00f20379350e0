"""What a TIFF page holds, by its tags (TIFF 6.0): Pillow's modes lose signs, and the meaning of the largest value."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from entropix.exceptions import DataError

if TYPE_CHECKING:
    from PIL import Image

SUBFILE, BITS, PHOTOMETRIC, SAMPLES, FORMAT = 254, 258, 262, 277, 339  # tags
REDUCED, MASK = 1, 4  # bits of SUBFILE
MIN_IS_WHITE = 0  # of PHOTOMETRIC
FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point"}
COLOURS = {0: "grey (min is white)", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "Lab"}


def tags_of(image: Image.Image) -> dict[int, Any]:
    """Return the tags of a page; none of what is no TIFF."""
    return dict(getattr(image, "tag_v2", {})) if image.format == "TIFF" else {}


def is_copy(tags: dict[int, Any]) -> bool:
    """Return whether a page is a smaller copy of another one, or a mask of it."""
    return bool(int(tags.get(SUBFILE, 0)) & (REDUCED | MASK))


def as_stored(values: np.ndarray, tags: dict[int, Any]) -> np.ndarray:
    """Return the values of a page with their signs, and the larger the brighter, from what Pillow made of them.

    Raises:
        DataError: a layout of which neither is known.
    """
    bits, kind = _first(tags, BITS, 1), _first(tags, FORMAT, 1)
    if kind == 2 and values.dtype == np.uint8:
        values = values.view(np.int8)
    if kind == 1 and values.dtype == np.int32 and bits == 32:
        values = values.view(np.uint32)
    if tags.get(PHOTOMETRIC) == MIN_IS_WHITE and not (values.dtype in (np.uint8, bool) and kind == 1):
        if kind != 1:
            raise DataError(f"a TIFF page of {layout(tags)}; save it with min-is-black")
        values = values.dtype.type(2**bits - 1) - values
    return values


def layout(tags: dict[int, Any]) -> str:
    """Return what a page holds, for people."""
    bits, kind = _first(tags, BITS, 1), _first(tags, FORMAT, 1)
    samples = int(tags.get(SAMPLES, 1))
    colours = COLOURS.get(tags.get(PHOTOMETRIC, -1), "unknown colours")
    return f"{samples} sample(s) of {bits} bits, {FORMATS.get(kind, 'of an unknown kind')}, {colours}"


def unknown_layout(content: bytes) -> str:
    """Return the layout of the first page of a TIFF that Pillow refuses; "" of what is no whole TIFF."""
    from PIL.TiffImagePlugin import PREFIXES, ImageFileDirectory_v2

    if not content.startswith(tuple(PREFIXES)):
        return ""
    try:
        header = content[:16] if content[2] == 43 or content[3] == 43 else content[:8]
        tags = ImageFileDirectory_v2(header)
        file = BytesIO(content)
        file.seek(tags.next)
        tags.load(file)
        return layout(dict(tags)) if BITS in tags else ""
    except Exception:  # a damaged directory makes Pillow raise almost anything
        return ""


def _first(tags: dict[int, Any], tag: int, default: int) -> int:
    value = tags.get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)
