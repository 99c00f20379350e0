"""What a DICOM object is if it is no image of a patient: a report, a presentation state, a drawing, a dose, ...

Archives hold them beside the images of a study. They are passed over and named by kind, and block nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from entropix.exceptions import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
# Classes with pixels that no modality has taken (PS3.4, B.5): masks, which are never read, and computed values.
MASKS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation, a mask",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation, a mask",
}
COMPUTED = {"1.2.840.10008.5.1.4.1.1.30": "Parametric Map", "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose"}
SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"  # this class, and the multi-frame ones below it
# Conversion Types (PS3.3, C.8.6.1) of what shows no patient. SYN is left in: converters write it for any image.
NOT_TAKEN = {"SD": "a scanned document", "DRW": "a drawing"}
OURS = "entropix"  # Manufacturer of heat maps


def no_image(dataset: Dataset) -> str:
    """Return what an object is in words, or "" for an image.

    Raises:
        DataError: an image without pixels, or nothing that is known.
    """
    from pydicom.uid import UID

    uid = str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or "")
    name = UID(uid).name.removesuffix(" Storage") if uid else "unknown object"
    if uid in MASKS:
        return f"DICOM {MASKS[uid]}"
    if any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        return ""
    if not uid or "Image" in name.split() or "Rows" in dataset:
        raise DataError(f"DICOM file without pixel data ({name})")
    return f"DICOM {name}, no image"


def drawn(dataset: Dataset) -> str:
    """Return what an image is that shows computed values, text, a drawing or a heat map of ours; "" for any other."""
    uid, conversion = str(dataset.get("SOPClassUID") or ""), str(dataset.get("ConversionType") or "").strip().upper()
    if uid in COMPUTED:
        return COMPUTED[uid]
    if uid != SECONDARY_CAPTURES and not uid.startswith(f"{SECONDARY_CAPTURES}."):
        return ""
    if dataset.get("Manufacturer") == OURS:
        return "Secondary Capture, a heat map of entropix"
    if conversion in NOT_TAKEN:
        return f"Secondary Capture, {NOT_TAKEN[conversion]}"
    annotated = str(dataset.get("BurnedInAnnotation") or "").strip().upper() == "YES"
    return "Secondary Capture with burnt-in text" if annotated else ""
