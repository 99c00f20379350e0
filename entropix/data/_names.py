"""What the names of folders say."""

from __future__ import annotations

import re

_PART = r"([-_ ]?(tr|ts|train|training|val|test|testing))?"
# Beside the images in some data sets: pictures of where the defect is, not images to read.
_MASKS = re.compile(r"(ground[-_ ]?truth|annotations?|masks?|labels?|segs?|segmentations?|gt)" + _PART, re.IGNORECASE)
_IMAGES = re.compile(r"(images?|imgs?)" + _PART + "|train|training|test|testing", re.IGNORECASE)


def is_mask_folder(name: str) -> bool:
    """Return whether a folder of this name holds masks of the images beside it, not images."""
    return _MASKS.fullmatch(name) is not None


def is_image_folder(name: str) -> bool:
    """Return whether a folder of this name only says that it holds images, or those of a split."""
    return _IMAGES.fullmatch(name) is not None
