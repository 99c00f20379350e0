"""Copies of the fit's images among labelled ones: how many there are, and what scores are worth without them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import entropix
from entropix import writers
from entropix.baseline._scoring import scored
from entropix.cli import app
from entropix.data import ImageSet
from entropix.detector import Separation
from entropix.report import write_report
from entropix.scoring import SCORES, detection_metrics
from entropix.training import Fingerprints, TrainingData

NEW = 20  # new images, as many copies, and as many with a lesion


def images() -> np.ndarray:
    return entropix.datasets.phantoms(100, 16, image_size=32).images


@pytest.fixture(scope="module")
def detector() -> entropix.EntropixDetector:
    return entropix.fit(images(), latent_dim=2, epochs=1, progress=False)


@pytest.fixture(scope="module")
def test(detector: entropix.EntropixDetector) -> ImageSet:
    """New images; images of the fit, darker, of less contrast and with a little noise; new images with a lesion."""
    new = entropix.datasets.phantoms(2 * NEW, 16, image_size=32, seed=1).images
    noise = np.random.default_rng(0).normal(0, 0.002, (NEW, 1, 32, 32)).astype(np.float32)
    copies = 0.1 + 0.7 * images()[:NEW] + noise
    lesions = new[NEW:].copy()
    lesions[:, :, 8:12, 8:12] = 1
    data = detector.read(np.concatenate([new[:NEW], copies, lesions]).clip(0, 1))
    return replace(data, labels=np.repeat([0, 0, 1], NEW))


def is_copy() -> np.ndarray:
    return np.repeat([False, True, False], NEW)


def test_copies_are_found_whatever_their_exposure(
    detector: entropix.EntropixDetector, test: ImageSet, tmp_path: Path
) -> None:
    np.testing.assert_array_equal(detector.copies(test), is_copy())
    again = entropix.load(detector.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.copies(test), is_copy())
    np.testing.assert_array_equal(detector.copies(images()), np.full(100, True))


@pytest.mark.parametrize(("size", "channels"), [(16, 3), (64, 1), (48, 1)])
def test_images_of_any_size_have_fingerprints(size: int, channels: int) -> None:
    x = 2 * torch.from_numpy(entropix.datasets.phantoms(80, 16, image_size=size).images) - 1
    x = x.repeat(1, channels, 1, 1)
    known = Fingerprints.fit(x[:60])
    assert known.known.shape == (60, 32)
    assert known.copies(torch.cat([x[:5], x[60:]])).tolist() == [True] * 5 + [False] * 20
    assert torch.isfinite(known.project(torch.zeros_like(x))).all()


def test_each_image_is_compared_with_those_of_the_fit_alone(detector: entropix.EntropixDetector) -> None:
    """Many copies of one image are near one another too, which says nothing of them."""
    noise = np.random.default_rng(0).normal(0, 0.002, (60, 1, 32, 32)).astype(np.float32)
    assert detector.copies((images()[:1] + noise).clip(0, 1)).all()


def test_scores_are_measured_without_copies_too(detector: entropix.EntropixDetector, test: ImageSet) -> None:
    found = writers.score(detector, test)
    told = found.separation
    assert told.copies == NEW
    for name, values in told.without_copies.items():
        assert values == detection_metrics(test.labels[~is_copy()], found.terms[name][~is_copy()])
    assert set(told.without_copies) == set(told.metrics) == set(SCORES)
    unlabelled = writers.score(detector, replace(test, labels=np.full(len(test), -1)))
    assert unlabelled.separation == Separation({}, 0, {})


def test_a_sweep_tells_copies(detector: entropix.EntropixDetector, test: ImageSet) -> None:
    data = TrainingData.from_images(detector.read(images()), 0, torch.device("cpu"))
    _, row, _ = scored(detector._fitted(), data, 2, 0, {}, tests=test, parameters={"device": "cpu"})
    errors = detector.anomaly_score(test, "residual")[~is_copy()]
    assert row.copies == NEW
    assert row.auc_without_copies == detection_metrics(test.labels[~is_copy()], errors)["auc"]


def test_commands_and_report_say_so(detector: entropix.EntropixDetector, test: ImageSet, tmp_path: Path) -> None:
    model = detector.save(tmp_path / "model")
    for kind, chosen in (("good", test.labels == 0), ("lesion", test.labels == 1)):
        folder = tmp_path / "data" / "test" / kind
        folder.mkdir(parents=True)
        for i in np.flatnonzero(chosen):
            pixels = (255 * test.pixels[int(i), 0].numpy()).round().astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:03d}.png")
    command = ["score", str(model), str(tmp_path / "data"), "--out", str(tmp_path / "scores.csv"), "--device", "cpu"]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    assert f"(without {NEW} near copies of images of the fit: AUC " in told.output
    summary = json.loads(CliRunner().invoke(app, [*command, "--overwrite", "--json"]).stdout)
    assert summary["copies"] == NEW
    assert set(summary["metrics_without_copies"]) == set(summary["metrics"])
    write_report(detector, tmp_path / "report.html", data=tmp_path / "data")
    assert f"{NEW} images are near copies of images\nof the fit" in (tmp_path / "report.html").read_text()
