"""A study with reports, masks and drawings in it is read: what is no image is named by kind and blocks nothing."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicom_files import save_dicom
from PIL import Image
from pydicom.uid import (
    BasicTextSRStorage,
    ComputedRadiographyImageStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    SegmentationStorage,
)

import entropix
from entropix.data import DataError, Select, read

IMAGE = np.arange(256, dtype=np.uint8).reshape(16, 16)
NO_PIXELS = {
    "sr": (BasicTextSRStorage, "DICOM Basic Text SR, no image"),
    "pr": (GrayscaleSoftcopyPresentationStateStorage, "DICOM Grayscale Softcopy Presentation State, no image"),
    "pdf": (EncapsulatedPDFStorage, "DICOM Encapsulated PDF, no image"),
    "private": ("1.3.12.2.1107.5.9.1", "DICOM 1.3.12.2.1107.5.9.1, no image"),
}


def without_pixels(path: Path, sop_class: str) -> None:
    save_dicom(path, IMAGE, SOPClassUID=sop_class, PixelData=None, Rows=None, Columns=None)


def test_a_study_with_all_of_it(tmp_path: Path) -> None:
    for name, modality in (("a", "CR"), ("b", "DX")):
        save_dicom(tmp_path / f"{name}.dcm", IMAGE, Modality=modality)
    for name, (sop_class, _) in NO_PIXELS.items():
        without_pixels(tmp_path / name, sop_class)
    save_dicom(tmp_path / "seg.dcm", IMAGE, SOPClassUID=SegmentationStorage)
    save_dicom(tmp_path / "screen.dcm", IMAGE, Modality="OT", BurnedInAnnotation="YES", SeriesDescription="dose page")
    save_dicom(tmp_path / "fax.dcm", IMAGE, Modality="OT", ConversionType="SD")
    save_dicom(tmp_path / "map.dcm", IMAGE, Modality="OT", Manufacturer="entropix")
    images = read(tmp_path, image_size=16, cache=tmp_path / "cache")
    again = read(tmp_path, image_size=16, cache=tmp_path / "cache")
    assert images.names == again.names == ["a.dcm", "b.dcm"]
    assert again.passed_over[-8:] == images.passed_over[-8:]
    told = dict(images.passed_over)
    for name, (_, reason) in NO_PIXELS.items():
        assert told[name] == reason
    assert told["seg.dcm"] == "DICOM Segmentation, a mask"
    assert told["screen.dcm"].startswith("DICOM Secondary Capture with burnt-in text; to read it, choose its series")
    assert told["fax.dcm"].startswith("DICOM Secondary Capture, a scanned document")
    assert told["map.dcm"].startswith("DICOM Secondary Capture, a heat map of entropix")
    assert images.unreadable == []
    assert read(tmp_path, image_size=16, select=Select(series="dose*"), cache=False).names == ["screen.dcm"]


def test_an_image_class_without_pixels_is_damaged(tmp_path: Path) -> None:
    without_pixels(tmp_path / "a.dcm", ComputedRadiographyImageStorage)
    with pytest.raises(DataError, match=r"1 unreadable: a.dcm: DICOM file without pixel data \(Computed Radiography"):
        read(tmp_path, cache=False)


def test_a_burnt_in_image_of_a_modality_is_read(tmp_path: Path) -> None:
    """Ultrasound shows its text in every image."""
    tags = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1", "Modality": "US", "BurnedInAnnotation": "YES"}
    save_dicom(tmp_path / "a.dcm", IMAGE, **tags)
    assert len(read(tmp_path, image_size=16, cache=False)) == 1


def test_inspect_never_refuses(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    save_dicom(mixed / "a.dcm", IMAGE, Modality="CT", SeriesDescription="chest")
    save_dicom(mixed / "b.dcm", IMAGE, Modality="MR", SeriesDescription="head")
    told = entropix.inspect(mixed, image_size=16, cache=False)
    assert told.kinds == {"DICOM CT": 1, "DICOM MR": 1}
    assert "several modalities" in told.problem
    scales = tmp_path / "scales"
    scales.mkdir()
    Image.fromarray(IMAGE).save(scales / "a.png")
    Image.fromarray(IMAGE.astype(np.uint16) * 200).save(scales / "b.png")
    told = entropix.inspect(scales, image_size=16, cache=False)
    assert (told.counts["n_images"], told.bits) == (2, {"8": 1, "16": 1})
    assert "images on different scales" in told.problem
    only_test = tmp_path / "only_test"
    (only_test / "test" / "good").mkdir(parents=True)
    assert "has a test folder but no train folder" in entropix.inspect(only_test, cache=False).problem
    report = tmp_path / "report"
    report.mkdir()
    without_pixels(report / "a.dcm", BasicTextSRStorage)
    assert "passed over: a.dcm: DICOM Basic Text SR" in str(entropix.inspect(report, cache=False))


def volume(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)


def test_a_mask_shows_in_its_content(tmp_path: Path, rng: np.random.Generator) -> None:
    lesion = np.zeros((16, 16, 8), np.int16)
    lesion[4:8, 4:8, 2:6] = 3
    volume(tmp_path / "a.nii.gz", rng.integers(0, 900, lesion.shape).astype(np.int16))
    volume(tmp_path / "a_LesionSmooth.nii.gz", lesion)
    images = read(tmp_path, image_size=16, cache=False)
    assert {origin.volume for origin in images.origins} == {"a.nii.gz"}
    reason = "a mask, by its content: few whole numbers beside many zeros"
    assert images.passed_over == [("a_LesionSmooth.nii.gz", reason)]
    coarse = np.where(rng.random(lesion.shape) < 0.4, rng.integers(1, 60, lesion.shape), 0).astype(np.int16)
    volume(tmp_path / "coarse" / "b.nii.gz", coarse)
    assert len(read(tmp_path / "coarse", image_size=16, cache=False)) == 8


@pytest.mark.parametrize("name", ["x_roi.nii.gz", "x_lesion.nii", "x_gt.nii.gz", "x-label.nii.gz"])
def test_masks_by_name_alone_in_their_folder(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.integers(0, 900, (8, 8, 4)).astype(np.int16)
    volume(tmp_path / "scans" / "x.nii.gz", values)
    volume(tmp_path / "other" / name, values)
    images = read(tmp_path, image_size=8, cache=False)
    assert {origin.volume for origin in images.origins} == {"scans/x.nii.gz"}
    with pytest.raises(DataError, match=r"no images .* a mask, by its name"):
        read(tmp_path / "other", cache=False)
