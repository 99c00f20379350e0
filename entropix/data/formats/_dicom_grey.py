"""Grey values of DICOM frames as a viewer would show them.

Modality LUT or rescale, then VOI LUT or window (the first of several), each frame by its own functional groups
where an enhanced file has them; MONOCHROME1 inverted; pixels of the padding value or range black.

Without a window, 8 bits or fewer cover their range. More say little (CT in 16 signed bits spans 3 % of them): the
values are scaled as a NIfTI volume, by the percentiles of the file without its padding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from entropix.data._scale import robust_scale
from entropix.exceptions import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

# Of an enhanced file's functional groups: the sequences that decide how a frame is shown.
FRAME_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
# Attributes that pydicom's processing functions look at.
KEYWORDS = (
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
)


def shown(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return frames float32 on [0, 1] of the stored `pixels` (f, h, w)."""
    from pydicom.pixels import apply_modality_lut

    tags = [_frame_tags(dataset, i) for i in range(len(pixels))]
    padding = _padding(pixels, dataset)
    if all(_has_window(one, pixels.dtype) for one in tags):
        values = np.stack([_windowed(frame, one) for frame, one in zip(pixels, tags, strict=True)])
    else:
        rescaled = (apply_modality_lut(frame, one) for frame, one in zip(pixels, tags, strict=True))
        values = robust_scale(np.stack([frame.astype(np.float32) for frame in rescaled]), ignore=padding)
        if _inverted(dataset):
            np.subtract(1, values, out=values)
    if padding is not None:
        values[padding] = 0
    return values


def _frame_tags(dataset: Dataset, index: int) -> Dataset:
    """Return what decides how a frame is shown: its own functional groups, else the shared ones, else the data set."""
    from pydicom import Dataset

    tags = Dataset()
    tags.file_meta = dataset.file_meta  # the byte order of lookup tables
    shared, own = (dataset.get(f"{kind}FunctionalGroupsSequence") or [] for kind in ("Shared", "PerFrame"))
    groups = [*shared[:1], *own[index : index + 1]]
    sources = [dataset, *(item for group in groups for name in FRAME_GROUPS for item in (group.get(name) or [])[:1])]
    for source in sources:
        for keyword in KEYWORDS:
            if keyword in source and not source[keyword].is_empty:  # an empty value is an absent one
                setattr(tags, keyword, source.get(keyword))
    tags.setdefault("PixelRepresentation", 0)
    if "BitsStored" not in tags:
        tags.BitsStored = dataset.get("BitsAllocated")
    _check_rescale(tags)
    _check_window(tags)
    return tags


def _check_rescale(tags: Dataset) -> None:
    """Take the first of several slopes; refuse one by which all values would be the same."""
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if keyword in tags:
            setattr(tags, keyword, _number(tags, keyword))
    slope = tags.get("RescaleSlope")
    if slope is not None and (slope == 0 or not np.isfinite(float(slope))):
        raise DataError(f"Rescale Slope is {slope}: it would give all pixels one value; repair the header")


def _check_window(tags: Dataset) -> None:
    """Take the first of several windows; one narrower than 1, which LINEAR does not know, exactly (PS3.3 C.11.2)."""
    if "VOILUTFunction" in tags:
        tags.VOILUTFunction = str(tags.VOILUTFunction).strip().upper()
    if "WindowCenter" not in tags or "WindowWidth" not in tags:
        return
    centre, width = (_number(tags, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    if not (width > 0 and np.isfinite([centre, width]).all()):
        raise DataError(f"a window of centre {centre:g} and Window Width {width:g}; repair the header")
    tags.WindowCenter, tags.WindowWidth = centre, width
    if width < 1 and tags.get("VOILUTFunction", "LINEAR") == "LINEAR":
        tags.VOILUTFunction = "LINEAR_EXACT"


def _number(tags: Dataset, keyword: str) -> float:
    """Return the value of an element, or the first of several."""
    value = tags.get(keyword)
    try:
        return float(value if isinstance(value, str | float | int) else np.ravel(value)[0])
    except (TypeError, ValueError):
        raise DataError(f"{keyword} is {value!r}; expected a number; repair the header") from None


def _has_lut(tags: Dataset) -> bool:
    sequence = tags.get("VOILUTSequence")
    return bool(sequence) and sequence[0].get("LUTData") is not None


def _has_window(tags: Dataset, dtype: np.dtype) -> bool:
    """Return whether there is a window, a VOI LUT, or a bit depth whose range is one."""
    windowed = "WindowCenter" in tags and "WindowWidth" in tags
    return windowed or _has_lut(tags) or (dtype.kind != "f" and int(tags.BitsStored) <= 8)


def _windowed(frame: np.ndarray, tags: Dataset) -> np.ndarray:
    """Return a frame through modality LUT and window or VOI LUT, float32 on [0, 1]."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    values = apply_voi_lut(apply_modality_lut(frame, tags), tags)
    if _has_lut(tags):
        low, high = 0.0, 2.0 ** int(tags.VOILUTSequence[0].LUTDescriptor[2]) - 1
    else:
        low, high = _full_range(tags)
        if "WindowWidth" not in tags:  # with a window, pydicom turns them round where the slope is negative
            low, high = sorted((low, high))
    # inverted in double precision: 255 - v as MONOCHROME1 is to give the very number that v gives
    values = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    return (1 - values if _inverted(tags) else values).astype(np.float32)


def _inverted(tags: Dataset) -> bool:
    return tags.get("PhotometricInterpretation") == "MONOCHROME1"


def _full_range(tags: Dataset) -> tuple[float, float]:
    """Return the lowest and highest value that the bits stored allow, after the modality LUT or rescale."""
    bits = int(tags.BitsStored)
    if tags.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** int(tags.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    signed = int(tags.PixelRepresentation) == 1
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    if "RescaleSlope" in tags and "RescaleIntercept" in tags:
        slope, intercept = float(tags.RescaleSlope), float(tags.RescaleIntercept)
        low, high = low * slope + intercept, high * slope + intercept
    return low, high


def _padding(pixels: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    """Return where stored pixels have the padding value or lie in the padding range (PS3.3, C.7.5.1.1.2)."""
    value = dataset.get("PixelPaddingValue")
    if value is None or pixels.dtype.kind == "f":
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    # a value written with the wrong sign is the same bits read otherwise
    low, high = sorted(int(np.array(int(v)).astype(pixels.dtype)) for v in (value, value if limit is None else limit))
    padding = (pixels >= low) & (pixels <= high)
    return padding if padding.any() and not padding.all() else None
