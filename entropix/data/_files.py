"""One file to prepared images, whatever its format; nothing a damaged file does gets past here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from entropix.data._blocks import Block, Decoded, to_block
from entropix.data._imageset import Origin
from entropix.data._names import case_and_contrast
from entropix.data._select import Select
from entropix.data.formats import PassedOver, by_number, decode
from entropix.exceptions import DataError

EVERYTHING = Select()
LONGEST_REASON = 300


@dataclass(frozen=True)
class FileItem:
    """A file to read.

    Attributes:
        path: of the file.
        name: in the set.
        label: 0 normal, 1 abnormal, -1 unknown.
        group: patient, if known.
        masks: files that say where something is in it.
    """

    path: Path
    name: str
    label: int = -1
    group: str = ""
    masks: tuple[Path, ...] = ()


def load(
    item: FileItem, image_size: int, channels: int | None, select: Select = EVERYTHING, keep_ids: bool = False
) -> list[Block]:
    """Return prepared images of one file, or its name and the reader's reason as unreadable or passed over."""
    try:
        decoded = decode(item.path, select, keep_ids)
        return [
            _prepare(item, decoded, number, frame, image_size, channels) for number, frame in by_number(decoded).items()
        ]
    except PassedOver as other:
        return [Block(torch.empty(0), passed_over=[(item.name, str(other))])]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a damaged file makes its reader raise anything, a Rust decoder "panics" too
        return [Block(torch.empty(0), unreadable=[(item.name, _reason(error))])]


def _prepare(
    item: FileItem, decoded: Decoded, number: int | None, frame: np.ndarray, image_size: int, channels: int | None
) -> Block:
    """Return one image of a file."""
    return to_block(
        frame[None].copy(),
        decoded.scale,
        image_size,
        channels,
        [item.name if number is None else f"{item.name}#{number}"],
        [item.label],
        [item.group or decoded.group or item.name],
        [_origin(item, decoded, number)],
    )


def _origin(item: FileItem, decoded: Decoded, number: int | None) -> Origin:
    return Origin(
        path=item.path,
        frame=number,
        volume=decoded.volume if number is None else item.name,
        position=decoded.position if number is None else number,
        kind=decoded.kind,
        series=decoded.series or case_and_contrast(item.path.as_posix())[1],
        bits=decoded.bits,
        **decoded.identifiers,
    )


def _reason(error: BaseException) -> str:
    """Return the error in one line."""
    text = " ".join(str(error).split()) or "no reason given"
    text = text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "..."
    return text if isinstance(error, DataError) else f"{type(error).__name__}: {text}"
