"""DICOM through pydicom: what a viewer would show, on [0, 1]."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from entropix.data.imageset import DataError
from entropix.data.prepare import Decoded
from entropix.data.scale import MAX_VALUES, robust_scale

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def is_dicom(path: Path) -> bool:
    """Whether the file has DICOM's preamble: "DICM" after 128 bytes (PS3.10, 7.1)."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def decode(path: Path) -> Decoded:
    """Frames (c, h, w) on [0, 1]: rescaled, VOI LUT or window, MONOCHROME1 inverted, palette and YBR as RGB.

    A grey image without window covers the range of its bits stored if these are 8 or fewer. More say little
    (CT in 16 signed bits spans 3 % of them): it is scaled as a NIfTI volume, by the percentiles of the file.

    Raises:
        DataError: no pixel data, or lengths beyond reason. Others as pydicom and its plug-ins raise them.
    """
    import pydicom
    from pydicom.pixels import apply_color_lut, pixel_array

    dataset = pydicom.dcmread(path, force=True)
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        kind = getattr(dataset.get("SOPClassUID"), "name", "unknown object")
        raise DataError(f"DICOM file without pixel data ({kind})")
    if dataset.get("Rows") is None or dataset.get("Columns") is None:
        raise DataError("DICOM file without image size (Rows and Columns)")
    frame_count = int(dataset.get("NumberOfFrames") or 1)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    count = int(dataset.Rows) * int(dataset.Columns) * frame_count * samples
    if count > MAX_VALUES:
        raise DataError(f"header claims {count} values, more than the {MAX_VALUES} that are read")
    pixels = pixel_array(dataset)
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        values = pixels / np.float32(np.iinfo(pixels.dtype).max)
    elif samples == 3:
        values = pixels / np.float32(2 ** int(dataset.BitsStored) - 1)
    else:
        values = _grey_values(pixels, dataset)
    frames = np.asarray(values, dtype=np.float32)
    frames = frames if frame_count > 1 else frames[None]
    frames = frames.transpose(0, 3, 1, 2) if frames.ndim == 4 else frames[:, None]
    numbers = list(range(frame_count)) if frame_count > 1 else None
    return Decoded(list(frames), "source", numbers, _patient(dataset))


def _grey_values(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Grey frames as shown, float32 on [0, 1], of the stored `pixels`."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    values = apply_modality_lut(pixels, dataset)
    shown = apply_voi_lut(values, dataset)
    voi = dataset.get("VOILUTSequence")
    windowed = None not in (dataset.get("WindowCenter"), dataset.get("WindowWidth"))
    if voi and voi[0].get("LUTData") is not None:
        low, high = 0.0, 2.0 ** int(voi[0].LUTDescriptor[2]) - 1
    elif windowed or (pixels.dtype.kind != "f" and int(dataset.BitsStored) <= 8):
        low, high = _full_range(dataset)
    else:
        low, high = 0.0, 1.0
        shown = robust_scale(values.astype(np.float32))
    result = np.clip((shown.astype(np.float32) - low) / (high - low), 0, 1).astype(np.float32)
    inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    return 1 - result if inverted else result


def _full_range(dataset: Dataset) -> tuple[float, float]:
    """Lowest and highest value that the bits stored allow, after the modality LUT or rescale."""
    bits = int(dataset.BitsStored)
    if dataset.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    signed = int(dataset.get("PixelRepresentation") or 0) == 1
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is not None and intercept is not None:
        low, high = low * float(slope) + float(intercept), high * float(slope) + float(intercept)
    return low, high


def _patient(dataset: Dataset) -> str | None:
    """Hash of the patient (else of the study), so that no identifier leaves the file."""
    for keyword in ("PatientID", "StudyInstanceUID"):
        value = str(dataset.get(keyword) or "").strip()
        if value:
            return "patient-" + hashlib.sha256(value.encode()).hexdigest()[:16]
    return None
