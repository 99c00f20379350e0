"""The table of scores, and everything that walks over it."""

import csv
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

import entropix
from entropix import scoring, writers
from entropix.scoring import SCORES, Calibration, Score, ScoreName, Terms
from entropix.scoring._scores import _TABLE


def largest(terms: Terms) -> torch.Tensor:
    """A score of one's own: the largest squared residual."""
    return (terms.outputs.x - terms.outputs.x_hat).square().flatten(1).amax(1)


@pytest.fixture
def _one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCORES, "largest", Score("largest", "squared error", largest))  # type: ignore[arg-type]


def test_names_are_known_to_type_checkers() -> None:
    assert list(SCORES) == list(get_args(ScoreName)) == [score.name for score in _TABLE]
    assert scoring.DEFAULT_SCORE in SCORES


@pytest.mark.usefixtures("_one_more")
def test_a_score_of_ones_own_is_everywhere(images: np.ndarray, tmp_path: Path) -> None:
    """Scores, p-values, files, the report: a line in the table, and no change of the model format."""
    old = entropix.fit(images, latent_dim=2, image_size=16, epochs=1, device="cpu", progress=False)
    model = old.save(tmp_path / "model")
    detector = entropix.load(model, device="cpu")
    scores = detector.anomaly_score(images, "largest")  # type: ignore[arg-type]
    assert ((scores > 0) & (scores <= 4)).all()
    p = detector.p_value(images, "largest")  # type: ignore[arg-type]
    assert p.min() >= 1 / (len(detector.calibration_) + 1)
    read = detector.read(images)
    scored = writers.score(detector, read)
    writers.write_scores(tmp_path / "scores.csv", read, scored)
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["path", "label", "surprisal", "p_value", "residual", "largest"]
    np.testing.assert_allclose([float(row["largest"]) for row in rows], scores, rtol=1e-6)
    program = torch.export.load(entropix.export(detector, tmp_path / "model.pt2")).module()
    found = program(torch.from_numpy(images))
    np.testing.assert_allclose(found[3].detach(), scores, rtol=1e-3)
    page = entropix.report.write_report(detector, tmp_path / "page.html", scores=tmp_path / "scores.csv")
    assert page.exists()


def test_a_model_from_before_a_score(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives the score; and says why there is no p-value."""
    model = entropix.fit(images, latent_dim=2, image_size=16, epochs=1, device="cpu", progress=False)
    folder = model.save(tmp_path / "model")
    monkeypatch.setitem(SCORES, "largest", Score("largest", "squared error", largest))  # type: ignore[arg-type]
    detector = entropix.load(folder, device="cpu")
    assert detector.anomaly_score(images, "largest").shape == (len(images),)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not know what held-out images score"):
        detector.p_value(images, "largest")  # type: ignore[arg-type]


def test_unknown_scores_are_refused() -> None:
    known = Calibration({"surprisal": torch.arange(3.0)})
    with pytest.raises(ValueError, match="expected one of surprisal"):
        known.p_value(np.zeros(2), "guess")
    with pytest.raises(ValueError, match="expected one of surprisal, residual"):
        scoring.check_score("guess")
