"""What the names of folders, and of files in them, say."""

from __future__ import annotations

import re

from entropix.data._bids import SUFFIX, entities, subject

_PART = r"([-_ ]?(?P<split>tr|ts|train|training|val|test|testing))?"
# Beside the images in some data sets: pictures of where the defect is, not images to read.
_MASKS = re.compile(r"(ground[-_ ]?truth|annotations?|masks?|labels?|segs?|segmentations?|gt)" + _PART, re.IGNORECASE)
_IMAGES = re.compile(r"(images?|imgs?)" + _PART + "|train|training|test|testing", re.IGNORECASE)
# A file for each contrast of a case: numbered (nnU-Net), or named at the end of the name of a volume (BraTS, IXI) or as
# the whole of it. Pictures that end so may be of another time, or of a stage of a tumour.
_CHANNEL = re.compile(r"(?:^|/)images(?:tr|ts|val)/([^/]+)_(\d{4})\.[^/]+$", re.IGNORECASE)
_WORD = r"t1(?:n|w|c|ce|gd)?|t2(?:w|f|[-_]?flair)?|flair|pdw?|dwi|adc|swi|mra"
_CONTRAST = re.compile(rf"(?:^|/)(?:([^/]+?)[-_. ])?({_WORD})\.(?:nii|nii\.gz|nrrd)$", re.IGNORECASE)
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


def case_and_contrast(path: str) -> tuple[str, str]:
    """Return of what a file is an image, and by which contrast, as far as its path says; "" for what it doesn't.

    They are sub-01 and T1w of sub-01_T1w.nii.gz (BIDS), c_01 and 0000 of imagesTr/c_01_0000.nii.gz (nnU-Net), B_01 and
    t1ce of B_01_t1ce.nii.gz (BraTS and others), and "" and flair of FLAIR.nii.gz.
    """
    if found := entities(path):
        return subject(path), found[SUFFIX]
    match = _CHANNEL.search(path)
    if match:
        return match[1], match[2]
    match = _CONTRAST.search(path)
    return (match[1] or "", match[2].lower()) if match else ("", "")
