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
KEPT_ONLY_ON_REQUEST = ("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName")
LARGEST = 65_535


class Series:
    """Writes maps; those of one source series form one new series."""

    def __init__(self, keep_ids: bool) -> None:
        self.keep_ids = keep_ids
        self._uids: dict[str, str] = {}

    def write(self, path: Path, source_path: Path, maps: dict[int, np.ndarray], patient: str) -> None:
        """Maps (h, w) of the frames of a DICOM file, by number; frames without a map are 0.

        patient: what stands for the patient's number unless identifiers are kept.
        """
        import pydicom

        source = pydicom.dcmread(source_path, force=True, stop_before_pixels=True)
        frames = int(source.get("NumberOfFrames") or 1)
        values = np.zeros((frames, int(source.Rows), int(source.Columns)))
        for number, one in maps.items():
            values[number] = np.maximum(one, 0)
        image = self._header(source, patient)
        _set_pixels(image, values)
        image.save_as(path, enforce_file_format=True)

    def _header(self, source: Dataset, patient: str) -> Dataset:
        """Everything but the pixels: who, which study, where, and what it was derived from."""
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import (
            ExplicitVRLittleEndian,
            MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
            SecondaryCaptureImageStorage,
            generate_uid,
        )

        several = int(source.get("NumberOfFrames") or 1) > 1
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID = (
            MultiFrameGrayscaleWordSecondaryCaptureImageStorage if several else SecondaryCaptureImageStorage
        )
        image.SOPInstanceUID = generate_uid()
        for keyword in (*STUDY, *PATIENT, *PLACE):
            hidden = keyword in (*PATIENT, *KEPT_ONLY_ON_REQUEST) and not self.keep_ids
            if keyword in source and not hidden:
                image[keyword] = source[keyword]
            elif keyword in (*STUDY, *PATIENT):  # these may be empty, but not missing
                setattr(image, keyword, "")
        if not self.keep_ids:
            image.PatientID, image.PatientIdentityRemoved = patient, "YES"
            image.DeidentificationMethod = "entropix: pseudonym for patient; UIDs kept"
        if "StudyInstanceUID" not in source:
            image.StudyInstanceUID = generate_uid()
        image.SeriesInstanceUID = self._uids.setdefault(str(source.get("SeriesInstanceUID")), generate_uid())
        image.SeriesNumber = int(source.get("SeriesNumber") or 0) + 9000
        image.Modality, image.ConversionType = "OT", "WSD"
        image.Manufacturer, image.ManufacturerModelName = "entropix", "entropix"
        image.SeriesDescription = "Anomaly heat map (nats per pixel)"
        image.ImageType = ["DERIVED", "SECONDARY", "HEATMAP"]
        image.DerivationDescription = "Anomaly heat map of the referenced image, for research"
        now = datetime.datetime.now()
        image.ContentDate, image.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
        if several:
            _copy_frame_places(source, image)
        if "SOPClassUID" in source and "SOPInstanceUID" in source:
            reference = Dataset()
            reference.ReferencedSOPClassUID = source.SOPClassUID
            reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
            image.SourceImageSequence = [reference]
        return image


def _copy_frame_places(source: Dataset, image: Dataset) -> None:
    """Where the frames of an enhanced file lie, frame by frame and for all."""
    from pydicom import Dataset

    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        groups = []
        for group in source.get(keyword) or []:
            place = Dataset()
            for name in FRAME_PLACE:
                if name in group:
                    place[name] = group[name]
            groups.append(place)
        if groups:
            setattr(image, keyword, groups)


def _set_pixels(image: Dataset, values: np.ndarray) -> None:
    """Values (f, h, w) >= 0 as 16-bit pixels with a rescale slope, and a window over their range."""
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
