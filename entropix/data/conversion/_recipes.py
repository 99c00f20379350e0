"""Where the published sets keep their images and labels.

Every recipe takes the folder of a set as published and returns the `Scan`s of its three parts: normal ones to train
on, normal and abnormal ones to test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from entropix._utils import read_table
from entropix.data._walk import Walk
from entropix.data.conversion._splits import Sizes, draw, split_groups, split_normal
from entropix.data.formats import canonical_mask
from entropix.exceptions import DataError

# BraTS volumes: of the 70 slices in the middle every fifth, the middle 208 x 208 pixels.
BRATS_SLICES, BRATS_STEP, BRATS_SIDE = 70, 5, 208
BRATS_TRAIN_CASES, BRATS_TEST_CASES = 1051, 200


@dataclass(frozen=True)
class Scan:
    """An image to be: a file, a slice of it, where it lies; mask: file with a segmentation of it."""

    path: Path
    name: str
    group: str
    slice: int | None = None
    mask: Path | None = None


@dataclass
class Parts:
    """Scans of the three parts of a split."""

    train: list[Scan] = field(default_factory=list)
    test_normal: list[Scan] = field(default_factory=list)
    test_abnormal: list[Scan] = field(default_factory=list)


@dataclass(frozen=True)
class Recipe:
    """A published set: its sizes in the benchmark, and how to find its parts."""

    sizes: Sizes
    find: Callable[[Path, Sizes, np.random.Generator], Parts]


def rsna(source: Path, sizes: Sizes, rng: np.random.Generator) -> Parts:
    """Find RSNA's Pneumonia Detection Challenge (Kaggle): DICOM in stage_2_train_images, classes in a CSV file.

    Normal: class "Normal"; abnormal: "Lung Opacity". The third class, neither, is left out.
    """
    classes = {row["patientId"]: row["class"] for row in _rows(source / "stage_2_detailed_class_info.csv")}
    folder = source / "stage_2_train_images"
    found = {
        name: [_file(folder, patient, ".dcm") for patient, kind in sorted(classes.items()) if kind == name]
        for name in ("Normal", "Lung Opacity")
    }
    return _parts(found["Normal"], found["Lung Opacity"], sizes, rng)


def vindr_cxr(source: Path, sizes: Sizes, rng: np.random.Generator) -> Parts:
    """Find VinDr-CXR (PhysioNet, or VinBigData's challenge on Kaggle): DICOM in train, findings in a CSV file.

    Normal: every reader wrote "No finding"; abnormal: every reader found something. The others are left out.
    """
    listings = [source / name for name in ("train.csv", "annotations/annotations_train.csv", "annotations_train.csv")]
    listing = next((path for path in listings if path.is_file()), listings[0])
    findings: dict[str, set[bool]] = {}
    for row in _rows(listing):
        findings.setdefault(row["image_id"], set()).add(row["class_name"] != "No finding")
    normal, abnormal = (sorted(name for name, found in findings.items() if found == {any_}) for any_ in (False, True))
    folder = source / "train"
    scans = [[_file(folder, name, ".dicom", ".dcm") for name in names] for names in (normal, abnormal)]
    return _parts(scans[0], scans[1], sizes, rng)


def brain_tumor(source: Path, sizes: Sizes, rng: np.random.Generator) -> Parts:
    """Find the Brain Tumor MRI Dataset (Kaggle, Nickparvar): image folders Training and Testing of four classes.

    Normal: notumor; abnormal: glioma and meningioma, as many of each.
    """
    found: dict[str, list[Scan]] = {"notumor": [], "glioma": [], "meningioma": []}
    for name, scans in found.items():
        for part in ("Training", "Testing"):
            if (source / part / name).is_dir():
                scans += [Scan(path, f"{name}_{part}_{path.stem}", "") for path in _images(source / part / name)]
        if not scans:
            raise DataError(f"{source}: no images in Training/{name} or Testing/{name}; expected the set as published")
    half = sizes.test_abnormal // 2
    tumours = [scan for name in ("glioma", "meningioma") for scan in draw(found[name], half, rng)]
    return _parts(found["notumor"], tumours, sizes, rng)


def brats2021(source: Path, sizes: Sizes, rng: np.random.Generator) -> Parts:
    """Find BraTS 2021 (task 1): a folder per case with FLAIR volume and segmentation.

    Cases are not shared by the parts. Slices without any tumour are normal. Those of training cases with tumour are
    left out.
    """
    cases = sorted(path.parent for path in source.rglob("*_flair.nii.gz"))
    if len(cases) < 2:
        raise DataError(f"{source}: {len(cases)} cases with a file *_flair.nii.gz; expected the set as published")
    training = split_groups([case.name for case in cases], BRATS_TRAIN_CASES, BRATS_TEST_CASES, rng)
    parts = Parts()
    for case in cases:
        volume, mask = case / f"{case.name}_flair.nii.gz", case / f"{case.name}_seg.nii.gz"
        if not mask.is_file():
            raise DataError(f"{mask}: no such file; a case needs FLAIR and segmentation")
        tumour = canonical_mask(mask, volume)
        first = max((tumour.shape[2] - BRATS_SLICES) // 2, 0)
        for k in range(first, min(first + BRATS_SLICES, tumour.shape[2]), BRATS_STEP):
            scan = Scan(volume, f"{case.name}_{k:03}", case.name, k, mask)
            if case.name in training:
                parts.train += [] if tumour[..., k].any() else [scan]
            else:
                (parts.test_abnormal if tumour[..., k].any() else parts.test_normal).append(scan)
    for name in ("train", "test_normal", "test_abnormal"):
        setattr(parts, name, draw(getattr(parts, name), getattr(sizes, name), rng))
    return parts


RECIPES = {
    "rsna": Recipe(Sizes(3851, 1000, 1000), rsna),
    "vindr-cxr": Recipe(Sizes(4000, 1000, 1000), vindr_cxr),
    "brain-tumor": Recipe(Sizes(1000, 600, 600), brain_tumor),
    "brats2021": Recipe(Sizes(4211, 828, 1948), brats2021),
}


def _parts(normal: list[Scan], abnormal: list[Scan], sizes: Sizes, rng: np.random.Generator) -> Parts:
    train, test = split_normal(normal, sizes, rng)
    return Parts(train, test, draw(abnormal, sizes.test_abnormal, rng))


def _images(folder: Path) -> list[Path]:
    walk = Walk()
    found = walk.files(folder)
    if walk.unreadable:
        raise DataError(f"{folder}: unreadable: " + "; ".join(f"{path}: {why}" for path, why in walk.unreadable[:5]))
    return found


def _rows(path: Path) -> Iterable[dict[str, str]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected the set as published")
    return read_table(path, ("patientId", "class") if path.name.startswith("stage_2") else ("image_id", "class_name"))


def _file(folder: Path, name: str, *suffixes: str) -> Scan:
    if not name or Path(name).name != name:
        raise DataError(f"{name!r} in the table of labels is no name of a file in {folder}")
    for suffix in suffixes:
        if (path := folder / f"{name}{suffix}").is_file():
            return Scan(path, name, "")
    raise DataError(f"{folder / name}{suffixes[0]}: no such file, but the table of labels lists it")
