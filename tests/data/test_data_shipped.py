"""Every image file that pydicom and nibabel ship: read with the values of the libraries' own decoding, or refused."""

import re
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from nibabel.testing import data_path
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from entropix.data import DataError, Select
from entropix.data._files import FileItem, load
from entropix.data.formats import decode

DICOM_ROOT = Path(pydicom.__file__).parent / "data"
DICOM_FILES = sorted(
    path.relative_to(DICOM_ROOT).as_posix()
    for path in DICOM_ROOT.rglob("*")
    if (path.is_file() and path.read_bytes()[128:132] == b"DICM") or path.suffix == ".dcm"
)
NO_PIXELS = "refused: DICOM file without pixel data|passed over: DICOM .*(, no image)"
ASKED = Select(series="*")  # doses are passed over otherwise
# Why a file is refused, by its name.
REFUSED = {
    "JPEG-lossy.dcm": "RuntimeError: Unable to decode",
    "JPEG2000-embedded-sequence-delimiter.dcm": "a frame of 1024 x 3722445056 pixels where the header says 1024 x 256",
    "MR_truncated.dcm": "less than expected",
    "badVR.dcm": "invalid literal for int",
    "meta_missing_tsyntax.dcm": "without image size",
    "nested_priv_SQ.dcm": "without image size",
}


def dicom_reference(dataset: pydicom.Dataset) -> np.ndarray:
    """(f, h, w) or (f, h, w, 3) on [0, 1] by pydicom's functions on the whole file at once."""
    stored = pixel_array(dataset)
    stored = stored if int(dataset.get("NumberOfFrames") or 1) > 1 else stored[None]
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        coloured = apply_color_lut(stored, dataset)
        return coloured / np.iinfo(coloured.dtype).max
    if stored.ndim == 4:
        return stored / (2.0**dataset.BitsStored - 1)
    values = apply_modality_lut(stored, dataset)
    if dataset.get("WindowCenter") is not None or dataset.BitsStored <= 8:
        ends = np.array([0, 2**dataset.BitsStored - 1])
        if dataset.get("PixelRepresentation"):
            ends -= 2 ** (dataset.BitsStored - 1)
        low, high = apply_modality_lut(ends, dataset).astype(float)
        shown = np.clip((apply_voi_lut(values, dataset) - low) / (high - low), 0, 1)
        return 1 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown
    padding = stored == dataset.get("PixelPaddingValue", np.nan)
    low, high = np.percentile(values[~padding].astype(np.float32), (0.5, 99.5))
    if low == high:
        low, high = values.min(), values.max()
    return np.where(padding, 0, np.clip((values - low) / max(high - low, 1e-9), 0, 1))


def outcome(path: Path, select: Select | None = None) -> str:
    """What the readers make of a file, in words; a file that is refused has a reason and no traceback."""
    blocks = load(FileItem(path, path.name), 16, None, select or Select())
    reasons = [reason for block in blocks for _, reason in block.unreadable]
    passed_over = [f"passed over: {reason}" for block in blocks for _, reason in block.passed_over]
    return f"refused: {reasons[0]}" if reasons else passed_over[0] if passed_over else f"{len(blocks)} image(s)"


@pytest.mark.parametrize("name", DICOM_FILES)
def test_dicom(name: str) -> None:
    path = DICOM_ROOT / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        has_pixels = any(key in dataset for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
        said = outcome(path, ASKED)
        if dataset.get("Modality") == "SEG":
            assert said == "passed over: DICOM Segmentation, a mask"
            return
        if path.name in REFUSED or not has_pixels:
            assert re.search(REFUSED.get(path.name, NO_PIXELS), said)
            return
        assert "image(s)" in said, said
        decoded = decode(path, ASKED, keep_ids=False)
        reference = dicom_reference(dataset)
    frames = np.stack(decoded.frames)
    assert frames.dtype == np.float32
    reference = reference.transpose(0, 3, 1, 2) if reference.ndim == 4 else reference[:, None]
    np.testing.assert_allclose(frames, reference, atol=2e-5)


NIFTI_FILES = sorted(
    path.name for path in Path(data_path).iterdir() if path.name.endswith((".nii", ".nii.gz", ".hdr", ".img"))
)
NIFTI_REFUSED = {
    "row_major.dconn.nii": "a Cifti2Image; expected a NIfTI volume",
    "standard.nii.gz": "passed over: a mask, by its content: few whole numbers beside many zeros",
    "resampled_anat_moved.nii": "74 of its 357 values are NaN",
    "analyze.hdr": "not a PNG, JPEG, TIFF or BMP image",
    "nifti1.hdr": "not a PNG, JPEG, TIFF or BMP image",
    "nifti2.hdr": "not a PNG, JPEG, TIFF or BMP image",
}


@pytest.mark.parametrize("name", NIFTI_FILES)
def test_nifti(name: str) -> None:
    path = Path(data_path) / name
    four = name in ("functional.nii", "example4d.nii.gz", "example_nifti2.nii.gz")
    if four:
        assert "choose one of its" in outcome(path)
    select = Select(component=1 if four else None)
    said = outcome(path, select)
    if name in NIFTI_REFUSED:
        assert re.search(NIFTI_REFUSED[name], said), said
        return
    assert not said.startswith("refused"), said
    image = nibabel.load(path)
    turned = nibabel.as_closest_canonical(image).get_fdata()
    turned = turned[..., 1] if four else turned
    low, high = np.percentile(turned, (0.5, 99.5))
    expected = np.clip((turned - low) / (high - low), 0, 1)
    for axis, plane in enumerate(("sagittal", "coronal", "axial")):
        decoded = decode(path, Select(axis=plane, component=select.component), keep_ids=False)
        for number, frame in zip(decoded.numbers or [], decoded.frames, strict=True):
            wanted = np.take(expected, number, axis)[::-1, ::-1].T
            np.testing.assert_allclose(frame[0], wanted, atol=1e-4)


def test_bad_selections() -> None:
    anatomical = Path(data_path) / "anatomical.nii"
    for select, message in (
        (Select(slices=(90, 95)), r"no slice \(90, 95\) among the 25 axial ones"),
        (Select(component=3), "1 image"),
    ):
        if message == "1 image":
            assert outcome(anatomical, select) == "25 image(s)"
        else:
            assert re.search(message, outcome(anatomical, select))
    assert outcome(anatomical, Select(slices=(-5, None))) == "5 image(s)"
    assert "has 20 volumes" in outcome(Path(data_path) / "functional.nii", Select(component=20))
    with pytest.raises(DataError, match=r"axis='oblique'; expected one of sagittal, coronal, axial"):
        Select(axis="oblique")
    with pytest.raises(DataError, match=r"slices=\(1, 2.5\)"):
        Select(slices=(1, 2.5))  # type: ignore[arg-type]
