"""What a file format is to entropix: how its files are known and read, and how their heat maps are written."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from entropix.data._blocks import Decoded
from entropix.data._passed_over import NOT_SELECTED
from entropix.data._select import Select
from entropix.data.formats._maps import FileMaps, MapFolder
from entropix.data.formats._overlays import write_overlay

_MASK = r"d?seg|probseg|segmentation|masks?|labels?|labelmap|annotation|gt|ground[-_ ]?truth"
# How the names of files end that say where something is in an image: scan_seg, sub-01_dseg, BraTS-00000-seg, x_mask_1.
MASK_ENDING = re.compile(rf"[-_. ]({_MASK}|rois?|lesions?)([-_ ]?\d+)?$")
# Or are called as a whole: seg, mask_1. Pictures of numbered lesions are images as likely as masks.
MASK_NAME = re.compile(rf"({_MASK})([-_ ]?(?P<number>\d+))?|(?P<subject>rois?|lesions?)")
# By their content, masks have no more values than this beside zero, and zeros in at least this share.
_MASK_LEVELS, _MASK_ZEROS = 16, 0.5


class PassedOver(Exception):
    """The file is no image to read; the text says what it is."""


class OtherSeries(PassedOver):
    """The file is of a series that is not to be read; the text names the series."""

    def __init__(self, series: str = "another series") -> None:
        super().__init__(NOT_SELECTED + series)


class Format(ABC):
    """A file format, or several that one library reads.

    A format of one's own has names, suffixes and `decode`; the rest is there to be replaced where there is more to say.

    Attributes:
        names: for people, such as "DICOM".
        suffixes: endings of its files' names, in small letters.
        never_images: names, in small letters, of files that are of this format and no images.
        masks_need_image: a file for which `is_mask` holds is one only beside an image, or if it looks like one.
    """

    names: ClassVar[tuple[str, ...]]
    suffixes: ClassVar[tuple[str, ...]]
    never_images: ClassVar[frozenset[str]] = frozenset()
    masks_need_image: ClassVar[bool] = False

    @abstractmethod
    def decode(self, path: Path, select: Select, keep_ids: bool) -> Decoded:
        """Return the images of a file.

        Args:
            path: a file that is not empty; neither its name nor its content need be of this format.
            select: which part of it to read.
            keep_ids: name patients and series as the file does, not by pseudonyms.

        Raises:
            DataError: what is wrong with the file, and what to do.
            PassedOver: no image, but a report, a mask, ...
            OtherSeries: not of the series that `select` names; the file is passed over, too.
            Exception: of any other kind, as a library raises it; it is reported with the name of the file.
        """

    def sniff(self, path: Path) -> bool:
        """Return whether the content of a file, whatever its name, is of this format: a look at its first bytes.

        Raises:
            OSError: a file that cannot be opened.
        """
        return False

    def called_mask(self, path: Path) -> bool:
        """Return whether a file of this format is called as masks are: scan_seg.nii.gz, mask.png."""
        stem = self.stem(path)
        return self.has_suffix(path) and bool(MASK_ENDING.search(stem) or MASK_NAME.fullmatch(stem))

    def is_mask(self, path: Path) -> bool:
        """Return whether a file is called as those are that say where something is in an image beside it."""
        return False

    def looks_like_mask(self, path: Path) -> bool:
        """Return whether the content of a file of this format is that of a mask; asked where `masks_need_image`."""
        return False

    def write_maps(self, folder: MapFolder, files: Sequence[FileMaps]) -> None:
        """Write the heat maps of files' images: as PNG, laid over each, unless the format can hold them itself.

        Args:
            folder: where to, and what the maps of all files there share.
            files: all of this format, with the images that `decode` returned for them.
        """
        for file in files:
            frames = by_number(self.decode(file.path, folder.select, keep_ids=False))
            for one in file.maps:
                write_overlay(folder, one, frames[one.frame])

    def stem(self, path: Path) -> str:
        """Return the file's name without the ending of the format, in small letters."""
        name = path.name.lower()
        ending = next((suffix for suffix in sorted(self.suffixes, key=len, reverse=True) if name.endswith(suffix)), "")
        return name.removesuffix(ending)

    def has_suffix(self, path: Path) -> bool:
        """Return whether the file is of this format by the ending of its name."""
        return path.name.lower().endswith(self.suffixes)


def by_number(decoded: Decoded) -> dict[int | None, np.ndarray]:
    """Return frames (c, h, w) by their number in the file; that of a file which is one image is None."""
    numbers: Sequence[int | None] = decoded.numbers or [None]
    return dict(zip(numbers, decoded.frames, strict=True))


def has_mask_values(values: np.ndarray) -> bool:
    """Return whether values are those of a mask, be it empty: zeros, and few positive whole numbers."""
    there = values[values != 0]
    if there.size > (1 - _MASK_ZEROS) * values.size:
        return False
    for some in (there[:: max(1, there.size // 10_000)], there):  # most images show in a few values that they are none
        levels = np.unique(some)
        if len(levels) > _MASK_LEVELS or not np.array_equal(levels, np.round(levels)) or (levels < 0).any():
            return False
    return True


def in_words(names: Sequence[str]) -> str:
    """Return "A, B or C" of at least one name."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
