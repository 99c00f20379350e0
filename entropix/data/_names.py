"""What the names of folders, and of files in them, say."""

from __future__ import annotations

import re

_PART = r"([-_ ]?(?P<split>tr|ts|train|training|val|test|testing))?"
# Beside the images in some data sets: pictures of where the defect is, not images to read.
_MASKS = re.compile(r"(ground[-_ ]?truth|annotations?|masks?|labels?|segs?|segmentations?|gt)" + _PART, re.IGNORECASE)
_IMAGES = re.compile(r"(images?|imgs?)" + _PART + "|train|training|test|testing", re.IGNORECASE)
# nnU-Net: a file for each channel of a case, such as a contrast.
_CHANNEL = re.compile(r"(?:^|/)images(?:tr|ts|val)/([^/]+)_(\d{4})\.[^/]+$", re.IGNORECASE)
_SPLITS = {"tr": "train", "training": "train", "ts": "test", "testing": "test"}  # other names of them


def is_mask_folder(name: str) -> bool:
    """Return whether a folder of this name holds masks of the images beside it, not images."""
    return _MASKS.fullmatch(name) is not None


def is_image_folder(name: str) -> bool:
    """Return whether a folder of this name only says that it holds images, or those of a split."""
    return _IMAGES.fullmatch(name) is not None


def split_of_folder(name: str) -> str:
    """Return the split that a folder of images or masks names: train, test or val; "" if none."""
    found = _MASKS.fullmatch(name) or _IMAGES.fullmatch(name)
    part = (found and found["split"]) or name
    part = _SPLITS.get(part.lower(), part.lower())
    return part if part in ("train", "test", "val") else ""


def case_and_channel(path: str) -> tuple[str, str]:
    """Return c_01 and 0000 of imagesTr/c_01_0000.nii.gz, as nnU-Net names files; "" and "" of any other."""
    found = _CHANNEL.search(path)
    return (found[1], found[2]) if found else ("", "")
