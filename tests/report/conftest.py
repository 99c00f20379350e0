"""A model, a folder and the pages that the tests of the report have in common."""

import copy
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from helpers import labelled_folder
from PIL import Image

import entropix
from entropix.report import write_report
from entropix.scoring import DEFAULT_SCORE, Calibration

NASTY = "<img src=x onerror=alert(1)> & 'co.png"


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data.json folder: 110 to train, 12 normal and 12 abnormal to test, one of them with a nasty name."""
    root = labelled_folder(tmp_path_factory.mktemp("data"), n_train=110, n_test=12, size=32, last=NASTY)
    Image.new("L", (32, 32), 255).save(root / "images" / NASTY)  # among the highest scores
    return root


@pytest.fixture(scope="package")
def detector(folder: Path) -> entropix.EntropixDetector:
    return entropix.fit(folder, image_size=32, epochs=3, progress=False)


@pytest.fixture(scope="package")
def page(detector: entropix.EntropixDetector, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(detector, out, model="<m>", data=folder, normal=folder)


@pytest.fixture(scope="package")
def two_volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two volumes of twelve slices, 24 x 32 pixels; the second has a large lesion in the eighth, and a mask of it."""
    root = tmp_path_factory.mktemp("volumes")
    slices = entropix.datasets.phantoms(24, 2, image_size=32, seed=3).images[:, 0, :, 4:28].reshape(2, 12, 32, 24)
    mask = np.zeros((12, 32, 24), np.float32)
    mask[7, 8:20, 6:18] = 1
    slices[1][mask > 0] = 1
    for name, volume in (("a", slices[0]), ("b", slices[1]), ("b_seg", mask)):
        nibabel.save(nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.eye(4)), root / f"{name}.nii.gz")
    return root


@pytest.fixture(scope="package")
def page_of_volumes(
    detector: entropix.EntropixDetector, two_volumes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """By a model that knows the scores of normal volumes, all lower than any score."""
    other = copy.copy(detector)
    lowest = Calibration({DEFAULT_SCORE: torch.full((3,), -1e9)})
    other.calibration_ = replace(detector.calibration_, volumes=lowest)
    return write_report(other, tmp_path_factory.mktemp("volumes") / "volumes.html", data=two_volumes)
