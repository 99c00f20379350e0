"""Published data sets on small made-up trees of real DICOM and NIfTI files in exactly their layouts."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicom_files import save_dicom
from PIL import Image

from entropix.data import DataError, read
from entropix.data.conversion import RECIPES, convert
from entropix.data.conversion._recipes import BRATS_SIDE
from entropix.data.conversion._splits import Sizes, split_normal


def table(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def image(rng: np.random.Generator, dtype: type = np.uint8) -> np.ndarray:
    return rng.integers(0, 255, (24, 20)).astype(dtype)


@pytest.fixture
def rsna(tmp_path: Path, rng: np.random.Generator) -> Path:
    root = tmp_path / "rsna-pneumonia-detection-challenge"
    (root / "stage_2_train_images").mkdir(parents=True)
    kinds = ["Normal"] * 20 + ["Lung Opacity"] * 6 + ["No Lung Opacity / Not Normal"] * 4
    rows = [{"patientId": f"{i:04}-aa", "class": kind} for i, kind in enumerate(kinds)]
    for row in rows:
        path = root / "stage_2_train_images" / f"{row['patientId']}.dcm"
        save_dicom(path, image(rng), Modality="CR", PatientID=row["patientId"])
    table(root / "stage_2_detailed_class_info.csv", rows + rows[20:26])  # a row per box
    return root


@pytest.fixture(params=["train.csv", "annotations/annotations_train.csv"])
def vindr(tmp_path: Path, rng: np.random.Generator, request: pytest.FixtureRequest) -> Path:
    root = tmp_path / "vindr"
    (root / "train").mkdir(parents=True)
    rows = []
    for i in range(30):
        found = ["No finding"] * 3 if i < 20 else ["Cardiomegaly", "No finding"] if i == 29 else ["Nodule/Mass"] * 2
        rows += [{"image_id": f"{i:032x}", "class_name": name, "rad_id": "R1"} for name in found]
        inverted = {"PhotometricInterpretation": "MONOCHROME1"} if i % 2 else {}
        save_dicom(
            root / "train" / f"{i:032x}.dicom", image(rng, np.uint16) * 16, BitsStored=12, HighBit=11, **inverted
        )
    table(root / request.param, rows)
    return root


@pytest.fixture
def brain_tumor(tmp_path: Path, rng: np.random.Generator) -> Path:
    root = tmp_path / "brain"
    for part, count in (("Training", 8), ("Testing", 4)):
        for name in ("glioma", "meningioma", "notumor", "pituitary"):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(image(rng)).save(root / part / name / f"{part[:2]}-{name[:2]}_{i:04}.jpg")
    return root


@pytest.fixture
def brats(tmp_path: Path, rng: np.random.Generator) -> Path:
    root = tmp_path / "BraTS2021_Training_Data"
    for i in range(12):
        case = root / f"BraTS2021_{i:05}"
        case.mkdir(parents=True)
        volume = rng.integers(1, 1000, (240, 240, 20)).astype(np.int16)
        tumour = np.zeros_like(volume, dtype=np.uint8)
        tumour[60:90, 30 + i : 50, 8:12] = 4
        # BraTS volumes lie with x to the left and y to the back
        affine = np.array([[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1.0]])
        for kind, values in (("flair", volume), ("t1", volume), ("seg", tumour)):
            nibabel.save(nibabel.Nifti1Image(values, affine), case / f"{case.name}_{kind}.nii.gz")
    return root


def listing(out: Path) -> dict[str, dict[str, list[str]]]:
    return json.loads((out / "data.json").read_text())


def check(out: Path, counts: dict[str, int]) -> None:
    """What was written is what is read, and nothing is in two parts."""
    train, test = read(out, split="train", image_size=16), read(out, split="test", image_size=16)
    assert len(train) == counts["train"]
    assert (test.labels == 0).sum() == counts["test_normal"]
    assert (test.labels == 1).sum() == counts["test_abnormal"]
    assert not set(train.names) & set(test.names)
    assert len(set(test.names)) == len(test)
    assert not set(train.groups) & set(test.groups)
    assert len(list((out / "images").iterdir())) == sum(counts.values())


def test_rsna(rsna: Path, tmp_path: Path) -> None:
    counts = convert("rsna", rsna, tmp_path / "out")
    assert counts == {"train": 15, "test_normal": 4, "test_abnormal": 6}
    check(tmp_path / "out", counts)
    name = listing(tmp_path / "out")["test"]["1"][0]
    written = np.asarray(Image.open(tmp_path / "out" / "images" / name))
    source = read(rsna / "stage_2_train_images" / name.replace(".png", ".dcm"), image_size=24)
    np.testing.assert_allclose(written.mean() / 255, source.pixels.mean(), atol=0.01)
    again = convert("rsna", rsna, tmp_path / "again")
    assert again == counts
    assert listing(tmp_path / "again") == listing(tmp_path / "out")
    convert("rsna", rsna, tmp_path / "other", seed=1)
    assert listing(tmp_path / "other") != listing(tmp_path / "out")


def test_vindr(vindr: Path, tmp_path: Path) -> None:
    counts = convert("vindr-cxr", vindr, tmp_path / "out")
    assert counts == {"train": 16, "test_normal": 4, "test_abnormal": 9}
    check(tmp_path / "out", counts)
    assert f"{29:032x}.png" not in json.dumps(listing(tmp_path / "out"))  # its readers do not agree


def test_brain_tumor(brain_tumor: Path, tmp_path: Path) -> None:
    counts = convert("brain-tumor", brain_tumor, tmp_path / "out")
    assert counts == {"train": 7, "test_normal": 4, "test_abnormal": 24}
    check(tmp_path / "out", counts)
    abnormal = listing(tmp_path / "out")["test"]["1"]
    assert sum(name.startswith("glioma") for name in abnormal) == 12
    assert not any("pituitary" in name for name in abnormal)


def test_brats(brats: Path, tmp_path: Path) -> None:
    counts = convert("brats2021", brats, tmp_path / "out")
    assert counts == {"train": 10 * 3, "test_normal": 2 * 3, "test_abnormal": 2}  # slices 0, 5, 10, 15 of 20
    check(tmp_path / "out", counts)
    assert len(set(read(tmp_path / "out", image_size=16).groups)) == 10
    name = listing(tmp_path / "out")["test"]["1"][0]
    case, number = name[: len("BraTS2021_00000")], int(name[-7:-4])
    assert number == 10
    picture, mask = (np.asarray(Image.open(tmp_path / "out" / kind / name)) for kind in ("images", "masks"))
    assert picture.shape == mask.shape == (BRATS_SIDE, BRATS_SIDE)
    # seen from the feet, x to the left: columns are the file's x, rows its y
    seg = np.asarray(nibabel.load(brats / case / f"{case}_seg.nii.gz").dataobj)[16:224, 16:224, number]
    np.testing.assert_array_equal(mask > 0, seg.T > 0)
    flair = np.asarray(nibabel.load(brats / case / f"{case}_flair.nii.gz").dataobj)[16:224, 16:224, number]
    assert np.corrcoef(picture.reshape(-1), flair.T.reshape(-1))[0, 1] > 0.999


def test_a_segmentation_that_lies_elsewhere_is_refused(brats: Path, tmp_path: Path) -> None:
    path = next(brats.rglob("*_seg.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(np.asarray(nibabel.load(path).dataobj), np.eye(4)), path)
    with pytest.raises(DataError, match="lies elsewhere than its image, by up to 239 of its voxels"):
        convert("brats2021", brats, tmp_path / "out")


def test_published_sizes() -> None:
    assert {name: tuple(vars(recipe.sizes).values()) for name, recipe in RECIPES.items()} == {
        "rsna": (3851, 1000, 1000),
        "vindr-cxr": (4000, 1000, 1000),
        "brain-tumor": (1000, 600, 600),
        "brats2021": (4211, 828, 1948),
    }
    rng = np.random.default_rng(0)
    for n, expected in ((8851, (3851, 1000)), (4851, (3851, 1000)), (485, (385, 99))):
        train, test = split_normal(range(n), Sizes(3851, 1000, 1000), rng)
        assert (len(train), len(test)) == expected
        assert not set(train) & set(test)


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_missing_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected the set as published"):
        convert(name, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_half_written(rsna: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'camelyon' is no known data set; expected one of rsna, "):
        convert("camelyon", rsna, tmp_path / "out")
    (rsna / "stage_2_train_images" / "0003-aa.dcm").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(DataError, match=r"0003-aa.dcm: "):
            convert("rsna", rsna, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        (rsna / "stage_2_train_images" / "0003-aa.dcm").unlink(missing_ok=True)
    table(rsna / "stage_2_detailed_class_info.csv", [{"patientId": "../up", "class": "Normal"}])
    with pytest.raises(DataError, match=r"'\.\./up' in the table of labels is no name"):
        convert("rsna", rsna, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        convert("rsna", rsna, tmp_path / "out")


def test_medianomaly_package(tmp_path: Path, rng: np.random.Generator) -> None:
    """The package's other layouts: BraTS2021 and Camelyon16."""
    for name in ("train/a", "test/normal/b", "test/tumor/c", "test/annotation/c"):
        (tmp_path / "BraTS2021" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image(rng)).save(tmp_path / "BraTS2021" / f"{name}.png")
    for name in ("train/good/a", "test/good/b", "test/Ungood/c"):
        (tmp_path / "Camelyon16" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(tmp_path / "Camelyon16" / f"{name}.png")
    for name in ("BraTS2021", "Camelyon16"):
        assert len(read(tmp_path / name, split="train")) == 1
        assert read(tmp_path / name, split="test").labels.tolist() == [0, 1] if name[0] == "B" else [1, 0]
