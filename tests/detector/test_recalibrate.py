"""A detector at another site: p-values that hold there, how far it is, and a warning where they promise nothing."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import entropix_cli

import entropix
from entropix import EntropixDetector, writers
from entropix.data import DataError
from entropix.exceptions import FitWarning, ShiftWarning
from entropix.scoring import Calibration, Shift, warn_of_shift
from entropix.scoring._shift import one_of_each

WAYS = {"latent_dim": 3, "image_size": 16, "epochs": 4, "progress": False}


def elsewhere(images: np.ndarray) -> np.ndarray:
    """As a coarser and noisier scanner would show them."""
    rng = np.random.default_rng(0)
    return np.clip(0.8 * images**1.5 + rng.normal(0.1, 0.05, images.shape), 0, 1).astype(np.float32)


def phantoms(n: int, seed: int) -> np.ndarray:
    return entropix.datasets.phantoms(n, 3, image_size=16, seed=seed).images


@pytest.fixture(scope="module")
def detector() -> EntropixDetector:
    return entropix.fit(phantoms(300, 0), **WAYS)


@pytest.fixture(scope="module")
def recalibrated(detector: EntropixDetector) -> EntropixDetector:
    return detector.recalibrate(elsewhere(phantoms(200, 7)))


def test_rates_hold_at_the_site(detector: EntropixDetector, recalibrated: EntropixDetector) -> None:
    test = elsewhere(phantoms(600, 8))
    assert (detector.p_value(test) <= 0.1).mean() > 0.5
    # 99 % of the rates that 200 images can promise (Vovk 2012)
    low, high = np.quantile(np.random.default_rng(0).beta(20, 181, 20_000), (0.005, 0.995))
    assert low - 0.03 < (recalibrated.p_value(test) <= 0.1).mean() < high + 0.03
    assert (recalibrated.predict(test) == -1).mean() < 0.12


def test_the_networks_are_kept(detector: EntropixDetector, recalibrated: EntropixDetector) -> None:
    images = elsewhere(phantoms(20, 9))
    np.testing.assert_array_equal(recalibrated.encode(images), detector.encode(images))
    np.testing.assert_array_equal(
        recalibrated.anomaly_score(images, "residual"), detector.anomaly_score(images, "residual")
    )
    assert (recalibrated.anomaly_score(images) < detector.anomaly_score(images)).all()
    assert len(recalibrated.calibration_) == 200
    assert len(detector.calibration_) == 60  # the first is as it was


def test_how_far_the_site_is(detector: EntropixDetector, recalibrated: EntropixDetector) -> None:
    far = Shift(**recalibrated.settings_["recalibrated"]["shift"])
    assert far.p_value < 1e-6
    assert far.distance > 0.5
    assert far.false_positives > 0.5
    assert str(far).startswith("the scores of 200 normal images differ from those of the fit: distance ")
    near = Shift(**detector.recalibrate(phantoms(100, 10)).settings_["recalibrated"]["shift"])
    assert near.p_value > 0.01
    assert near.false_positives < 0.2


def test_the_p_value_of_the_distance_is_uniform() -> None:
    """At most: it is adjusted for two scores that tell the same."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        known = {name: torch.from_numpy(np.sort(rng.standard_normal(60))) for name in ("surprisal", "peak")}
        scores = {name: rng.standard_normal(40) for name in known}
        found.append(entropix.scoring.measure_shift(Calibration(known), scores, 0.05).p_value)
    assert (np.array(found) <= 0.1).mean() < 0.15


def test_a_batch_from_elsewhere_is_warned_of(detector: EntropixDetector, recalibrated: EntropixDetector) -> None:
    scans = elsewhere(phantoms(60, 11))
    with pytest.warns(ShiftWarning, match=r"only \d of 60 images .* p-values promise nothing: recalibrate"):
        writers.score(detector, detector.read(scans))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShiftWarning)
        writers.score(recalibrated, recalibrated.read(scans))
        writers.score(detector, detector.read(scans[:10]))  # too few to tell
        ill = entropix.datasets.phantoms(60, 3, image_size=16, lesions=0.5, seed=12).images
        writers.score(detector, detector.read(ill))


def test_what_is_warned_of() -> None:
    rng = np.random.default_rng(0)
    names = [str(i) for i in range(100)]
    normal = lambda: np.sort(rng.standard_normal(80))  # noqa: E731
    warned = 0
    for _ in range(300):
        known = Calibration({"surprisal": torch.from_numpy(normal())})
        half_ill = rng.standard_normal(100) + 9 * (np.arange(100) < 50)
        for scores in (rng.standard_normal(100), half_ill):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                warn_of_shift(known, known.p_value(scores), names)
            warned += len(caught)
    assert warned <= 3  # of 600, at a level of .001
    with pytest.warns(ShiftWarning, match=r"100 of 100 images .* anomalies among them may have large p-values"):
        warn_of_shift(known, known.p_value(rng.standard_normal(100) - 9), names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a hundred slices of one patient are one draw
        warn_of_shift(known, known.p_value(rng.standard_normal(100) + 9), ["one"] * 100)
        warn_of_shift(known, np.zeros(0), [])


def test_one_image_of_each_patient() -> None:
    groups = ["b", "a", "b", "c", "a"]
    assert sorted(groups[i] for i in one_of_each(groups)) == ["a", "b", "c"]
    drawn = {one_of_each(groups, seed).tolist()[0] for seed in range(20)}
    assert len(drawn) > 1


def test_too_few_images(detector: EntropixDetector) -> None:
    with pytest.raises(DataError, match=r"15 distinct images of 15 patients or volumes; .* at least 16"):
        detector.recalibrate(phantoms(15, 1))
    with pytest.raises(DataError, match="1 distinct images"):
        detector.recalibrate(np.repeat(phantoms(1, 1), 30, axis=0))
    with pytest.warns(FitWarning, match=r"16 held-out normal images .* recalibrate with more images, or choose"):
        detector.recalibrate(phantoms(16, 1))


def test_vectors() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 2)) @ rng.standard_normal((2, 6)) + rng.normal(0, 0.05, (400, 6))
    detector = EntropixDetector(epochs=5).fit(rows[:200])
    there = rows[200:] + rng.normal(0, 3, (200, 6))
    new = detector.recalibrate(there[:100])
    assert (detector.p_value(there[100:]) <= 0.1).mean() > 0.3
    assert (new.p_value(there[100:]) <= 0.1).mean() < 0.25
    assert new.settings_["recalibrated"]["shift"]["p_value"] < 0.01


def test_the_command_writes_a_model(detector: EntropixDetector, tmp_path: Path) -> None:
    model = detector.save(tmp_path / "model")
    np.save(tmp_path / "site.npy", elsewhere(phantoms(100, 7)))
    np.save(tmp_path / "scans.npy", elsewhere(phantoms(60, 11)))
    result = entropix_cli("calibrate", model, tmp_path / "site.npy", "--out", tmp_path / "new")
    assert "differ from those of the fit" in result.stdout
    assert "with p-values from 100 normal images of the site" in result.stdout
    before = entropix_cli("score", model, tmp_path / "scans.npy", "--out", tmp_path / "a.csv")
    after = entropix_cli("score", tmp_path / "new", tmp_path / "scans.npy", "--out", tmp_path / "b.csv")
    assert "promise nothing" in before.stderr
    assert "promise nothing" not in after.stderr
    assert "model folder" not in entropix_cli("report", tmp_path / "new", "--out", tmp_path / "r.html").stderr
    entropix_cli("calibrate", model, tmp_path / "site.npy", "--out", tmp_path / "new", code=1)
    entropix_cli("calibrate", model, tmp_path / "site.npy", "--out", tmp_path / "new", "--overwrite")
