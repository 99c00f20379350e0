"""Heat maps as DICOM: Secondary Capture images (PS3.3 A.8) of the study that they belong to.

One new series for each series of the source. Every image refers to its source (Source Image Sequence) and copies its
size, place in the patient and frame of reference, so that viewers lay it over it. Stored values are 16-bit; Rescale
Slope gives nats per pixel.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from entropix.data.formats._maps import FileMaps, MapFolder

if TYPE_CHECKING:
    from pydicom import Dataset

# What an image takes over from its source: study, and place in space.
STUDY = ("StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName")
PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
PLACE = (
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "PatientPosition",
    "PatientOrientation",
    "Laterality",
    "InstanceNumber",
)
FRAME_PLACE = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
KEPT_ONLY_ON_REQUEST = (*PATIENT, "AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName")
LARGEST = 65_535


def write_map(path: Path, maps: FileMaps, folder: MapFolder) -> None:
    """Write the maps of a DICOM file's frames to the file `path`; frames without a map are 0."""
    import pydicom

    source = pydicom.dcmread(maps.path, force=True, stop_before_pixels=True)
    image = _new_image(source, folder.token)
    _take_over(image, source, folder.keep_ids)
    if not folder.keep_ids:
        image.PatientID, image.PatientIdentityRemoved = maps.patient, "YES"
        image.DeidentificationMethod = "entropix: pseudonym for patient; UIDs kept"
    _refer(image, source)
    _set_pixels(image, _stack(maps, source))
    image.save_as(path, enforce_file_format=True)


def _count(source: Dataset) -> int:
    return int(source.get("NumberOfFrames") or 1)


def _stack(maps: FileMaps, source: Dataset) -> np.ndarray:
    """Return the maps of all frames (f, h, w)."""
    values = np.zeros((_count(source), int(source.Rows), int(source.Columns)))
    for number, one in maps.by_frame().items():
        values[number] = np.maximum(one, 0)
    return values


def _new_image(source: Dataset, token: str) -> Dataset:
    """Return an image without pixels and patient, that says what it is.

    token: series with the same token and source are the same.
    """
    from pydicom import uid
    from pydicom.dataset import Dataset, FileMetaDataset

    several, one = uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage, uid.SecondaryCaptureImageStorage
    now = datetime.datetime.now()
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    image.SOPClassUID = several if _count(source) > 1 else one
    image.SOPInstanceUID = uid.generate_uid()
    image.SeriesInstanceUID = uid.generate_uid(entropy_srcs=[str(source.get("SeriesInstanceUID")), token])
    image.SeriesNumber = _series_number(source)
    image.Modality, image.ConversionType = "OT", "WSD"
    image.Manufacturer, image.ManufacturerModelName = "entropix", "entropix"
    image.SeriesDescription = "Anomaly heat map (nats per pixel)"
    image.ImageType = ["DERIVED", "SECONDARY", "HEATMAP"]
    image.DerivationDescription = "Anomaly heat map of the referenced image, for research"
    image.ContentDate, image.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    return image


def _series_number(source: Dataset) -> int:
    """Return a number 9000 above that of the source, where it has one and the sum is possible (PS3.5, 6.2: IS)."""
    try:
        number = int(source.get("SeriesNumber") or 0) + 9000
    except (TypeError, ValueError):
        return 9000
    return number if number < 2**31 else 9000


def _take_over(image: Dataset, source: Dataset, keep_ids: bool) -> None:
    """Copy the study, the place in space and, with `keep_ids`, who the patient is."""
    from pydicom.uid import generate_uid

    if "SpecificCharacterSet" in source:  # in which names and descriptions are written
        image["SpecificCharacterSet"] = source["SpecificCharacterSet"]

    for keyword in (*STUDY, *PATIENT, *PLACE):
        hidden = keyword in KEPT_ONLY_ON_REQUEST and not keep_ids
        if keyword in source and not hidden:
            image[keyword] = source[keyword]
        elif keyword in (*STUDY, *PATIENT):  # these may be empty, but not missing
            setattr(image, keyword, "")
    if "StudyInstanceUID" not in source:
        image.StudyInstanceUID = generate_uid()
    if _count(source) > 1:
        _copy_frame_places(image, source)


def _copy_frame_places(image: Dataset, source: Dataset) -> None:
    """Copy where the frames of an enhanced file lie, frame by frame and for all."""
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        groups = [_only_place(group) for group in source.get(keyword) or []]
        if groups:
            setattr(image, keyword, groups)


def _only_place(group: Dataset) -> Dataset:
    from pydicom import Dataset

    place = Dataset()
    for name in FRAME_PLACE:
        if name in group:
            place[name] = group[name]
    return place


def _refer(image: Dataset, source: Dataset) -> None:
    """Say of which image it is the map."""
    from pydicom import Dataset

    if "SOPClassUID" in source and "SOPInstanceUID" in source:
        reference = Dataset()
        reference.ReferencedSOPClassUID = source.SOPClassUID
        reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
        image.SourceImageSequence = [reference]


def _set_pixels(image: Dataset, values: np.ndarray) -> None:
    """Set values (f, h, w) >= 0 as 16-bit pixels with a rescale slope, and a window over their range."""
    top = float(values.max())
    slope = float(f"{top / LARGEST:.9g}") if top > 0 else 1.0  # as many digits as its text has room for
    stored = np.clip(np.round(values / slope), 0, LARGEST).astype("<u2")
    if len(stored) > 1:
        image.NumberOfFrames = len(stored)
        image.FrameIncrementPointer = 0x00280008  # frames count themselves
    image.Rows, image.Columns = stored.shape[1:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 0
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = slope, 0, "US"
    image.WindowCenter, image.WindowWidth = round(top / 2, 6), max(round(top, 6), 1.0)
    image.PixelData = stored.tobytes()
    image["PixelData"].VR = "OW"
