"""DICOM through pydicom: frames as a viewer would show them, on [0, 1], and what identifies them."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from entropix.data._blocks import Decoded
from entropix.data._privacy import pseudonym
from entropix.data._scale import MAX_VALUES
from entropix.data._select import Select
from entropix.data.formats._codestream import check_encapsulated
from entropix.data.formats._dicom_grey import shown
from entropix.exceptions import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


class OtherSeries(Exception):
    """The file is of a series that is not to be read."""


def is_dicom(path: Path) -> bool:
    """Whether the file has DICOM's preamble: "DICM" after 128 bytes (PS3.10, 7.1)."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def decode(path: Path, select: Select, keep_ids: bool) -> Decoded:
    """Frames (c, h, w) on [0, 1]: rescaled, VOI LUT or window, MONOCHROME1 inverted, palette and YBR as RGB.

    `dicom_grey` says what becomes of grey values. With `keep_ids` patient and series appear as they are, else as
    pseudonyms.

    Raises:
        DataError: no pixel data, a header that cannot be true, or a compression without decoder.
        OtherSeries: not the series that `select` names.
        Others as pydicom and its plug-ins raise them.
    """
    import pydicom

    # from memory: a file would be asked for as many bytes as an element claims to have, and make room for them
    dataset = pydicom.dcmread(BytesIO(path.read_bytes()), force=True)
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        kind = getattr(dataset.get("SOPClassUID"), "name", "unknown object")
        raise DataError(f"DICOM file without pixel data ({kind})")
    description, number, uid = (str(dataset.get(f"Series{k}") or "") for k in ("Description", "Number", "InstanceUID"))
    if not select.wants_series(description, number, uid):
        raise OtherSeries
    frame_count = _check_header(dataset)
    pixels = _pixels(dataset)
    pixels = pixels if frame_count > 1 else pixels[None]  # (f, h, w) or (f, h, w, 3)
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        pixels = apply_color_lut(pixels, dataset)
        frames = (pixels / np.float32(np.iinfo(pixels.dtype).max)).transpose(0, 3, 1, 2)
    elif pixels.ndim == 4:
        frames = (pixels / np.float32(2 ** int(dataset.BitsStored) - 1)).transpose(0, 3, 1, 2)
    else:
        frames = shown(pixels, dataset)[:, None]
    patient = str(dataset.get("PatientID") or dataset.get("StudyInstanceUID") or "").strip()
    position = _position(dataset)
    slice_of = uid if frame_count == 1 and position is not None else ""
    return Decoded(
        list(frames.astype(np.float32, copy=False)),
        "source",
        list(range(frame_count)) if frame_count > 1 else None,
        group=_identifier("patient", patient, keep_ids) or None,
        volume=_identifier("series", slice_of, keep_ids),
        position=position or 0.0,
        kind=f"DICOM {dataset.get('Modality') or ''}".strip(),
        series=description,
        bits=int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0),
    )


def _identifier(kind: str, value: str, keep_ids: bool) -> str:
    return value if keep_ids or not value else pseudonym(kind, value)


def _check_header(dataset: Dataset) -> int:
    """The number of frames, if the header can be true of this much pixel data."""
    if dataset.get("Rows") is None or dataset.get("Columns") is None:
        raise DataError("DICOM file without image size (Rows and Columns)")
    frames = int(dataset.get("NumberOfFrames") or 1)
    numbers = (int(dataset.Rows), int(dataset.Columns), frames, int(dataset.get("SamplesPerPixel") or 1))
    if min(numbers) < 1:
        raise DataError("header claims {} rows, {} columns, {} frames, {} samples per pixel".format(*numbers))
    if math.prod(numbers) > MAX_VALUES:
        raise DataError(f"header claims {math.prod(numbers)} values, more than the {MAX_VALUES} that are read")
    dataset.NumberOfFrames = frames  # which pydicom guesses where it is missing
    if dataset.get("PhotometricInterpretation") is None:
        dataset.PhotometricInterpretation = "RGB" if numbers[3] == 3 else "MONOCHROME2"
    return frames


def _pixels(dataset: Dataset) -> np.ndarray:
    """Stored values, decompressed, YBR converted to RGB."""
    from pydicom.pixels import pixel_array
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    # files without meta information (bare data sets, as old archives export them) are not compressed
    if dataset.file_meta.get("TransferSyntaxUID") is None:
        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        check_encapsulated(dataset)
    try:
        return pixel_array(dataset, allow_excess_frames=False)
    except RuntimeError as error:
        if "missing dependencies" not in str(error):
            raise
        raise DataError(f"{syntax.name}: no decoder for it is installed; pip install 'entropix[dicom]'") from None


def _position(dataset: Dataset) -> float | None:
    """Where the slice lies along the normal of its plane in mm; None if it lies nowhere, as a radiograph."""
    try:
        row, column = np.reshape(np.array(dataset.ImageOrientationPatient, dtype=float), (2, 3))
        return float(np.cross(row, column) @ np.array(dataset.ImagePositionPatient, dtype=float))
    except (AttributeError, TypeError, ValueError):
        return None
