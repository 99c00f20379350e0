"""PNG, JPEG, TIFF and BMP through Pillow."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from entropix.data._blocks import Decoded
from entropix.data._scale import real_values
from entropix.data._select import Select
from entropix.data.formats._format import MASK_NAME, Format, OtherSeries, has_mask_values, in_words
from entropix.data.formats._tiff import as_stored, is_copy, tags_of, unknown_layout
from entropix.exceptions import DataError

if TYPE_CHECKING:
    from PIL import Image

NAMES = ("PNG", "JPEG", "TIFF", "BMP")  # Pillow knows them by these
# Modes that hold grey values as they are; all others are converted to RGB (palette, alpha, CMYK, ...).
GREY_MODES = frozenset({"1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"})


class Pillow(Format):
    """What Pillow reads, and by its content: a PNG file may be called .jpg."""

    masks_need_image = True  # pictures have any names
    names = NAMES
    suffixes = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp")

    def decode(self, path: Path, select: Select, keep_ids: bool) -> Decoded:
        """Return the image, or each page of a TIFF; there is no patient.

        Raises:
            OtherSeries: `select` names a series, which these files don't have.
            Exception: as `decode`.
        """
        if not select.wants_series(""):
            raise OtherSeries(f"a {in_words(NAMES)} file, which has no series")
        return decode(path)

    def is_mask(self, path: Path) -> bool:
        """Return whether a file is called as a mask: a_mask.png, mask.png; lesion.png only if it looks like one."""
        whole = MASK_NAME.fullmatch(self.stem(path))
        return self.called_mask(path) and (not (whole and whole["subject"]) or self.looks_like_mask(path))

    def looks_like_mask(self, path: Path) -> bool:
        """Return whether a picture has the values of a mask."""
        from PIL import Image

        try:
            with Image.open(path) as image:
                return has_mask_values(np.asarray(image.convert("L")))
        except Exception:  # a damaged file makes its reader raise anything; who reads it as an image will hear of it
            return False


def decode(path: Path) -> Decoded:
    """Return frames (c, h, w) of an image file: one, or each page of a TIFF. The EXIF orientation is applied.

    Pages that are smaller copies of another one, as in pyramids, or masks are left out.

    Raises:
        DataError: not an image, more pixels than `PIL.Image.MAX_IMAGE_PIXELS`, or values that Pillow would cut off.
        OSError: damaged file, as Pillow reports it.
    """
    with _open(path) as image:
        count = getattr(image, "n_frames", 1) if image.format in ("TIFF", "PNG") else 1  # others hold previews
        if image.format == "PNG" and count > 1:
            raise DataError(f"an animation of {count} images; save each in a file of its own")
        numbers = _pages(image, count)
        pages = [_page(image, number) for number in numbers]
    frames, scales, bits = zip(*pages, strict=True)
    if len(set(scales)) > 1:
        raise DataError("pages of different bit depth; save them as separate files")
    several = numbers if len(numbers) > 1 else None
    return Decoded(list(frames), scales[0], several, kind=str(image.format), bits=bits[-1])


def _pages(image: Image.Image, count: int) -> list[int]:
    """Return the numbers of the pages that are images of their own."""
    own = []
    for number in range(count if count > 1 else 0):
        image.seek(number)
        if not is_copy(tags_of(image)):
            own.append(number)
    return own or [*range(count)]


def _open(path: Path) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    # from memory: a file would be asked for as many bytes as a chunk claims to have, and make room for them
    content = path.read_bytes()
    try:
        return Image.open(BytesIO(content), formats=NAMES)
    except UnidentifiedImageError:
        layout = unknown_layout(content)
        if layout:
            raise DataError(f"a TIFF of a layout that Pillow does not read: {layout}; convert it") from None
        raise DataError(f"not a {in_words(NAMES)} image, or a damaged one") from None


def _page(image: Image.Image, number: int) -> tuple[np.ndarray, str, int]:
    """Return a page (c, h, w), the scale of its values, and the bits in which one is stored."""
    from PIL import Image

    image.seek(number)
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise DataError(f"{image.width} x {image.height} pixels, more than the {limit} that are allowed")
    stored = pixels(image)
    values, scale = real_values(stored)
    frame = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    return frame, scale, 1 if stored.dtype == bool else 8 * stored.dtype.itemsize


def _check_depth(image: Image.Image) -> None:
    """Raise DataError if Pillow would cut 16 bits to 8, as it does in all modes but grey ones."""
    arguments = [tile[3] for tile in getattr(image, "tile", [])]  # of the decoder: the layout of values, and others
    if image.mode not in GREY_MODES and ";16" in str(arguments):
        raise DataError(
            f"16 bits a value in colour or with alpha ({image.mode}), of which only 8 would be read; "
            "save it in grey without alpha, or with 8 bits"
        )


def pixels(image: Image.Image) -> np.ndarray:
    """Return (h, w) of a grey image, (h, w, 3) of any other, upright by its EXIF orientation; alpha is dropped.

    Raises:
        DataError: values that Pillow would cut off.
    """
    from PIL import ImageOps

    _check_depth(image)
    tags = tags_of(image)
    image = ImageOps.exif_transpose(image)
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("LA").getchannel(0))
    if image.mode not in GREY_MODES:
        image = image.convert("RGB")
    return as_stored(np.asarray(image), tags)
