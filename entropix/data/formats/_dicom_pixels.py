"""Frames of a DICOM data set on [0, 1]: decompressed, checked against the header, in grey or RGB."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from entropix._utils import install_hint
from entropix.data._scale import MAX_VALUES
from entropix.data.formats._codestream import check_encapsulated
from entropix.data.formats._dicom_grey import shown
from entropix.exceptions import DataError

if TYPE_CHECKING:
    from pydicom import Dataset


def frames_of(dataset: Dataset) -> np.ndarray:
    """Return frames float32 (f, c, h, w) as a viewer would show them, on [0, 1].

    Grey values are rescaled and windowed (`_dicom_grey`), palette and YBR become RGB.

    Raises:
        DataError: a header that cannot be true, or a compression without decoder.
        Exception: others as pydicom and its plug-ins raise them.
    """
    count = _check_header(dataset)
    pixels = _stored(dataset)
    pixels = pixels if count > 1 else pixels[None]  # (f, h, w) or (f, h, w, 3)
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        frames = _palette(pixels, dataset)
    elif pixels.ndim == 4:
        frames = (pixels / np.float32(2 ** int(dataset.BitsStored) - 1)).transpose(0, 3, 1, 2)
    else:
        frames = shown(pixels, dataset)[:, None]
    return frames.astype(np.float32, copy=False)


def _check_header(dataset: Dataset) -> int:
    """Return the number of frames, if the header can be true of this much pixel data; what is missing is filled in."""
    if dataset.get("Rows") is None or dataset.get("Columns") is None:
        raise DataError("DICOM file without image size (Rows and Columns)")
    frames = int(dataset.get("NumberOfFrames") or 1)
    numbers = (int(dataset.Rows), int(dataset.Columns), frames, int(dataset.get("SamplesPerPixel") or 1))
    if min(numbers) < 1:
        raise DataError("header claims {} rows, {} columns, {} frames, {} samples per pixel".format(*numbers))
    if math.prod(numbers) > MAX_VALUES:
        raise DataError(f"header claims {math.prod(numbers)} values, more than the {MAX_VALUES} that are read")
    dataset.NumberOfFrames = frames  # which pydicom guesses where it is missing
    usual = {"SamplesPerPixel": 1, "PixelRepresentation": 0, "BitsStored": dataset.get("BitsAllocated")}
    for keyword, value in usual.items():
        if dataset.get(keyword) is None and value is not None:
            setattr(dataset, keyword, value)
    if not dataset.get("PhotometricInterpretation"):
        dataset.PhotometricInterpretation = "RGB" if numbers[3] == 3 else "MONOCHROME2"
    return frames


def _stored(dataset: Dataset) -> np.ndarray:
    """Return stored values, decompressed, YBR converted to RGB."""
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
        raise DataError(f"{syntax.name}: no decoder for it is installed; {install_hint('dicom')}") from None


def _palette(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return the colours (f, 3, h, w) on [0, 1] that stored values stand for."""
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(pixels, dataset)
    return (colours / np.float32(np.iinfo(colours.dtype).max)).transpose(0, 3, 1, 2)
