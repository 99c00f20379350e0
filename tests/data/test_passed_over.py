"""Nothing in a folder is passed over unnamed: what should be an image is unreadable, the rest is in `passed_over`."""

import os
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from dicom_files import save_dicom
from PIL import Image

import entropix
from entropix.data import DataError, read
from entropix.data._walk import Walk

IMAGE = np.arange(256, dtype=np.uint8).reshape(16, 16)


def png(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(IMAGE).save(path)


def volume(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.arange(256, dtype=np.int16).reshape(8, 8, 4), np.eye(4)), path)


def bare_dicom(path: Path, implicit: bool) -> None:
    """A data set without preamble, meta information and ending."""
    dataset = pydicom.dcmread(save_dicom(path, IMAGE))
    del dataset.file_meta
    dataset.preamble = None
    pydicom.dcmwrite(path, dataset, implicit_vr=implicit, little_endian=True)
    assert path.read_bytes()[:2] == b"\x08\x00"


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "annexed": ("x.png", lambda path: path.symlink_to("../.git/annex/objects/x.png"), "git annex get, datalad get"),
    "dangling": ("x", lambda path: path.symlink_to("nowhere"), "a link to nowhere, which is not there"),
    "circle": ("x.dcm", lambda path: path.symlink_to("x.dcm"), "OSError|a link to x.dcm, which is not there"),
    "pipe": ("x.png", lambda path: os.mkfifo(path), "neither a file nor a folder"),
    "gif": ("x.gif", lambda path: path.write_bytes(b"GIF89a"), "of a format that is not read; save it as PNG"),
    "volume": ("x.mha", lambda path: path.write_bytes(b"ObjectType = Image"), "of a format that is not read"),
}


@pytest.mark.parametrize("kind", BAD)
def test_unreadable(kind: str, tmp_path: Path) -> None:
    name, make, told = BAD[kind]
    png(tmp_path / "a.png")
    make(tmp_path / name)
    with pytest.raises(DataError, match=rf"1 unreadable: {name}: .*({told})"):
        read(tmp_path, image_size=16, cache=False)
    images = read(tmp_path, image_size=16, cache=False, skip_unreadable=True)
    assert images.names == ["a.png"]
    assert [found for found, _ in images.unreadable] == [name]
    assert read(images, image_size=16) is images  # whoever read it has decided
    result = entropix.inspect(tmp_path, image_size=16, cache=False)
    assert f"unreadable: {name}: " in str(result)


def test_a_folder_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    png(tmp_path / "a.png")
    png(tmp_path / "sub" / "b.png")
    scandir = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(DataError, match="1 unreadable: sub: PermissionError: Permission denied"):
        read(tmp_path, image_size=16, cache=False)


@pytest.mark.parametrize("implicit", [True, False])
def test_dicom_without_preamble_and_ending(implicit: bool, tmp_path: Path) -> None:
    bare_dicom(tmp_path / "IM0001", implicit)
    assert len(read(tmp_path, image_size=16, cache=False)) == 1


@pytest.mark.parametrize(
    ("image", "mask", "named"),
    [
        ("a/BraTS-0-t2f.nii.gz", "a/BraTS-0-seg.nii.gz", "a/BraTS-0-seg.nii.gz"),
        ("imagesTr/case_000_0000.nii.gz", "labelsTr/case_000.nii.gz", "labelsTr"),
        ("images/a.nii.gz", "labels/a.nii.gz", "labels"),
        ("images/a.png", "segmentations/a.png", "segmentations"),
        ("images/a.png", "Ground Truth/a.png", "Ground Truth"),
        ("sub-01_T1w.nii.gz", "sub-01_dseg.nii.gz", "sub-01_dseg.nii.gz"),
        ("ISIC_01.jpg", "ISIC_01_segmentation.png", "ISIC_01_segmentation.png"),
        ("benign (1).png", "benign (1)_mask_1.png", "benign (1)_mask_1.png"),
    ],
)
def test_masks_are_no_images(image: str, mask: str, named: str, tmp_path: Path) -> None:
    for name in (image, mask):
        (volume if name.endswith(".nii.gz") else png)(tmp_path / name)
    images = read(tmp_path, image_size=8, cache=False)
    assert {name.split("#")[0] for name in images.names} == {image}
    assert [(name, "mask" in reason) for name, reason in images.passed_over] == [(named, True)]


def test_a_name_like_a_masks_without_an_image_beside_it_is_an_image(tmp_path: Path) -> None:
    png(tmp_path / "x_mask.png")
    png(tmp_path / "b.png")
    assert read(tmp_path, image_size=8, cache=False).names == ["b.png", "x_mask.png"]


def test_a_picture_called_mask_that_looks_like_one_is_no_image(tmp_path: Path) -> None:
    for name in ("scan_1.png", "scan_2.png"):
        png(tmp_path / name)
    mask = np.zeros_like(IMAGE)
    mask[:2, :2] = 255
    Image.fromarray(mask).save(tmp_path / "scan_mask.png")
    images = read(tmp_path, image_size=8, cache=False)
    assert images.names == ["scan_1.png", "scan_2.png"]
    assert ("scan_mask.png", "a mask, by its name") in images.passed_over


def test_what_else_lies_there_is_named(tmp_path: Path) -> None:
    png(tmp_path / "train" / "good" / "a.png")
    png(tmp_path / "test" / "good" / "b.png")
    png(tmp_path / "training" / "good" / "c.png")
    png(tmp_path / "valid" / "d.png")
    for name in ("labels.csv", ".DS_Store", "DICOMDIR"):
        (tmp_path / "train" / "good" / name).write_text("text")
    (tmp_path / "train" / ".git").mkdir()
    images = read(tmp_path, image_size=8, cache=tmp_path / "cache")
    again = read(tmp_path, image_size=8, cache=tmp_path / "cache")
    assert again.passed_over[-4:] == images.passed_over[-4:]
    assert {name: reason.split(",")[0] for name, reason in images.passed_over} == {
        "training": "beside train and test",
        "valid": "beside train and test",
        "train/.git": "a hidden folder",
        "train/good/labels.csv": "no image",
        "train/good/.DS_Store": "a hidden file",
        "train/good/DICOMDIR": "an index of files",
    }
    said = str(entropix.inspect(tmp_path, image_size=8, cache=False))
    assert "passed over: 3 times beside train and test: cache, training, valid" in said


def test_nothing_but_others(tmp_path: Path) -> None:
    (tmp_path / "a.mha").write_text("ObjectType = Image")
    volume(tmp_path / "labels" / "a.nii.gz")
    with pytest.raises(DataError, match=r"no images .* a.mha: of a format .*; labels: a folder of masks"):
        read(tmp_path, cache=False)


def test_published_sets_name_what_they_cannot_read(tmp_path: Path) -> None:
    from entropix.data.conversion import _recipes as recipes

    (tmp_path / "a.png").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"unreadable: .*a.png: a link to nowhere"):
        recipes._images(tmp_path)
    assert Walk().files(tmp_path) == []
