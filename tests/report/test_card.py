"""The model card: what it says, and that the hub could read it."""

import re
from pathlib import Path

import numpy as np
import pytest
from command_line import entropix_cli

import entropix
from entropix.report import model_card


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card") / "chest-model"
    images = entropix.datasets.phantoms(110, 2, image_size=16).images
    entropix.fit(images, latent_dim=3, image_size=16, epochs=1, progress=False, out=folder)
    return folder


def test_card_of_images(model: Path, tmp_path: Path) -> None:
    detector = entropix.load(model)
    text = entropix_cli("card", model).stdout
    assert text == model_card(detector, model)
    metadata = text.split("---\n")[1]
    assert "library_name: entropix\n" in metadata
    assert metadata.count("\n- ") == 5
    assert "# Model card for chest-model" in text
    assert 'entropix.load("chest-model")' in text
    for what in (
        "d = 3",
        "110 normal images",
        "16 x 16 pixels",
        "given, not chosen",
        f"{len(detector.calibration_)} held-out",
        f"| 0.05 (the default) | {-detector.offset_:.4g} |",
        "not for diagnosis",
        "## Limits",
    ):
        assert what in text, what
    assert "| 0.01 |" not in text  # too few held-out images to tell it
    assert not re.search(r"\n\n\n|{[{%]|\bNone[^ ]", text)
    entropix_cli("card", model, "--out", tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
    assert "exists" in entropix_cli("card", model, "--out", tmp_path / "README.md", code=1).stderr


def test_names_no_path_and_says_why_this_d(model: Path) -> None:
    detector = entropix.load(model)
    detector.settings_ |= {"data": "folder /home/me/secret/scans", "n_distinct": 100, "stopped_after_epoch": 1}
    detector.reason_ = "d = 3 is enough"
    detector.value_range_ = (-1000.0, 3000.0)
    text = model_card(detector)
    assert "secret" not in text
    assert "from `scans`" in text
    assert "Why this latent dimension: d = 3 is enough." in text
    assert "10 of them are copies" in text
    assert "stopped after epoch 1" in text
    assert "-1000 to 3000" in text


def test_card_of_vectors() -> None:
    rows = np.random.default_rng(0).normal(size=(120, 5))
    text = model_card(entropix.fit(rows, latent_dim=2, epochs=1, progress=False))
    assert "vectors of 5 features" in text
    assert "- tabular\n" in text
    assert "heat map" not in text
