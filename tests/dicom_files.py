"""DICOM files for tests."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

import entropix


def save_dicom(path: Path, image: np.ndarray, **tags: Any) -> Path:
    """A file of an integer image (h, w) or frames (f, h, w); a tag of None is left out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = tags.get("SOPClassUID") or SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = tags.pop("syntax", ExplicitVRLittleEndian)
    dataset = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    bits = 8 * image.dtype.itemsize
    defaults = {
        "SOPClassUID": SecondaryCaptureImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": 1,
        "Rows": image.shape[-2],
        "Columns": image.shape[-1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(image.dtype.kind == "i"),
        "NumberOfFrames": len(image) if image.ndim == 3 else None,
        "PixelData": image.tobytes(),
    }
    for name, value in (defaults | tags).items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def save_series(folder: Path, images: np.ndarray, study: str = "1", **tags: Any) -> list[Path]:
    """Files of an axial series of images (n, h, w), 5 mm apart, of a patient whose number is MRN4711."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "SOPClassUID": CTImageStorage,
        "Modality": "CT",
        "PatientName": "Doemann^Janine",
        "PatientID": "MRN4711",
        "PatientBirthDate": "19501231",
        "PatientSex": "F",
        "StudyInstanceUID": f"1.2.3.{study}",
        "SeriesInstanceUID": f"1.2.3.{study}.1",
        "FrameOfReferenceUID": f"1.2.3.{study}.2",
        "StudyDate": "20260102",
        "StudyTime": "030405.678901",
        "StudyID": "STUDY77",
        "AccessionNumber": "ACC88",
        "ReferringPhysicianName": "Roemann^Richard",
        "SeriesNumber": 3,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.7, 0.9],
        "SliceThickness": 5,
    } | tags
    places = [[-10, -20, 5 * i] for i in range(len(images))]
    return [
        save_dicom(folder / f"{i}.dcm", one, ImagePositionPatient=places[i], InstanceNumber=i + 1, **given)
        for i, one in enumerate(images)
    ]


def save_studies(folder: Path, n: int, images_each: int = 1) -> Path:
    """Radiographs of n patients, each with a study of one series."""
    folder.mkdir()
    pixels = entropix.datasets.phantoms(n * images_each, 3, image_size=32, seed=1).images[:, 0]
    for i, image in enumerate(pixels):
        study, number = divmod(i, images_each)
        save_dicom(
            folder / f"{i:04}.dcm",
            (255 * image).astype(np.uint8),
            Modality="CR",
            PatientID=f"P{study}",
            StudyInstanceUID=f"1.2.3.{study + 1}",
            SeriesInstanceUID=f"1.2.3.{study + 1}.1",
            SOPInstanceUID=f"1.2.3.{study + 1}.1.{number + 1}",
        )
    return folder


def item(**tags: Any) -> Dataset:
    dataset = Dataset()
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset
