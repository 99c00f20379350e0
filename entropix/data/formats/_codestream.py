"""What compressed DICOM frames say of their own size, before a decoder believes them.

A decoder allocates by the size in the codestream, which a damaged or hostile file sets to 65,535 x 65,535 whatever
its Rows and Columns say; and pydicom allocates by Rows, Columns and NumberOfFrames before it looks at the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from entropix.exceptions import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

# A blank nuclear medicine image reaches 986; baseline JPEG stops at 256 (two bits for a block of 64 values).
MOST_VALUES_PER_BYTE = 2048
JPEG2000_START = b"\xff\x4f\xff\x51"
# JPEG and JPEG-LS frame headers: SOF0..15 without the tables DHT, JPG and DAC, and SOF55.
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}


def check_encapsulated(dataset: Dataset) -> None:
    """Raise DataError if compressed frames differ in size from Rows and Columns, or are too short for them."""
    from pydicom.encaps import generate_frames

    rows, columns = int(dataset.Rows), int(dataset.Columns)
    count = int(dataset.get("NumberOfFrames") or 1)
    values = rows * columns * count * int(dataset.get("SamplesPerPixel") or 1)
    held = len(dataset.PixelData)
    if values > MOST_VALUES_PER_BYTE * held:
        raise DataError(f"header claims {values} values, more than {held} compressed bytes hold")
    for frame in generate_frames(dataset.PixelData, number_of_frames=count):
        size = frame_size(frame)
        if size is not None and size != (rows, columns):
            raise DataError("a frame of {} x {} pixels where the header says {} x {}".format(*size, rows, columns))


def frame_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) by the header of a JPEG, JPEG-LS or JPEG 2000 codestream; None for anything else."""
    if frame.startswith(JPEG2000_START) or b"ftypjp2" in frame[:64]:
        at = frame.find(JPEG2000_START) + len(JPEG2000_START) + 4  # SIZ: length, capabilities, then sizes
        columns, rows, left, top = (int.from_bytes(frame[at + 4 * i : at + 4 * i + 4], "big") for i in range(4))
        return rows - top, columns - left
    if not frame.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        if frame[at + 1] in FRAME_HEADERS:
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")
        # 0xFF may be repeated before a marker; others carry their length
        at += 1 if frame[at + 1] == 0xFF else 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return 0, 0  # no frame header: not the size of any image
