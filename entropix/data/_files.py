"""One file to to_blockd images, whatever its format; nothing a damaged file does gets past here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from entropix.data._blocks import Block, Decoded, to_block
from entropix.data._imageset import Origin
from entropix.data._select import Select
from entropix.data.formats import dicom, nifti, pillow
from entropix.exceptions import DataError

EVERYTHING = Select()


@dataclass(frozen=True)
class FileItem:
    """A file to read, its name in the set, its label (0 normal, 1 abnormal, -1 unknown), and its patient if known."""

    path: Path
    name: str
    label: int = -1
    group: str = ""


def is_image_file(path: Path) -> bool:
    """Whether the file should be read as image(s): by its ending, or by DICOM's preamble whatever the ending.

    DICOMDIR, the index that DICOM media carry, has the preamble but is no image.
    """
    name = path.name.lower()
    if name.startswith(".") or name == "dicomdir" or not path.is_file():
        return False
    if path.suffix.lower() in pillow.SUFFIXES | dicom.SUFFIXES or name.endswith(nifti.SUFFIXES):
        return True
    try:
        return dicom.is_dicom(path)
    except OSError:
        return False


def decode(path: Path, select: Select, keep_ids: bool) -> Decoded:
    """Frames of one file by the reader for its format."""
    if path.stat().st_size == 0:
        raise DataError("empty file (0 bytes)")
    if dicom.is_dicom(path) or path.suffix.lower() in dicom.SUFFIXES:
        return dicom.decode(path, select, keep_ids)
    if path.name.lower().endswith(nifti.SUFFIXES):
        return nifti.decode(path, select)
    return pillow.decode(path)


def load(
    item: FileItem, image_size: int, channels: int | None, select: Select = EVERYTHING, keep_ids: bool = False
) -> list[Block]:
    """TrainingData images of one file, or its name and the reader's reason as unreadable; none if of another series."""
    try:
        decoded = decode(item.path, select, keep_ids)
        numbers: Sequence[int | None] = decoded.numbers or [None] * len(decoded.frames)
        return [
            to_block(
                frame[None].copy(),
                decoded.scale,
                image_size,
                channels,
                [item.name if number is None else f"{item.name}#{number}"],
                [item.label],
                [item.group or decoded.group or item.name],
                [_origin(item, decoded, number)],
            )
            for frame, number in zip(decoded.frames, numbers, strict=True)
        ]
    except dicom.OtherSeries:
        return []
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a damaged file makes its reader raise anything, a Rust decoder "panics" too
        return [Block(torch.empty(0), unreadable=[(item.name, _reason(error))])]


def _origin(item: FileItem, decoded: Decoded, number: int | None) -> Origin:
    return Origin(
        path=item.path,
        frame=number,
        volume=decoded.volume if number is None else item.name,
        position=decoded.position if number is None else number,
        kind=decoded.kind,
        series=decoded.series,
        bits=decoded.bits,
    )


def _reason(error: BaseException) -> str:
    """The error in one line."""
    text = " ".join(str(error).split()) or "no reason given"
    text = text if len(text) <= 300 else text[:300] + "..."
    return text if isinstance(error, DataError) else f"{type(error).__name__}: {text}"
