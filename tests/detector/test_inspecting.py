"""`inspect`: what is in a folder, what fit would do with it, and no training."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import entropix
from entropix.data import DataError
from entropix.detector import inspect
from entropix.training._training_data import FitWarning


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/good with 120 images, a copy, a constant, a clipped and an unreadable one; test with a copy of train's."""
    root = tmp_path_factory.mktemp("data")
    images = (entropix.datasets.phantoms(122, 3, image_size=40).images[:, 0] * 200).astype(np.uint8)
    for name in ("train/good", "test/good", "test/sick"):
        (root / name).mkdir(parents=True)

    def save(image: np.ndarray, name: str) -> None:
        Image.fromarray(image).save(root / name)

    for i in range(120):
        save(images[i], f"train/good/{i:03}.png")
    save(images[0], "train/good/copy.png")
    save(np.full((40, 40), 7, np.uint8), "train/good/constant.png")
    clipped = images[120].copy()
    clipped[:20] = 255
    save(clipped, "train/good/clipped.png")
    save(images[1], "test/good/a.png")
    save(images[121], "test/sick/b.png")
    (root / "train" / "good" / "bad.png").write_text("no image")
    return root


def test_counts_and_plan(folder: Path) -> None:
    result = inspect(folder, image_size=32, cache=False)
    assert result.counts == {
        "n_images": 123,
        "n_files": 123,
        "n_volumes": None,
        "n_groups": 123,
        "n_masks": None,
        "n_normal": 123,
        "n_duplicates": 1,
        "n_duplicates_across_splits": 1,
    }
    assert result.kinds == {"PNG": 123}
    assert result.bits == {"8": 123}
    assert result.sizes == {"40 x 40": 123}
    assert result.value_range is None
    assert result.constant == ["train/good/constant.png"]
    assert result.clipped == ["train/good/clipped.png"]
    assert [name for name, _ in result.unreadable] == ["train/good/bad.png"]
    assert result.problem == ""
    text = str(result)
    for part in (
        "1 duplicates across splits",
        "unreadable: train/good/bad.png: not a PNG",
        "fit would:",
        "32 x 32 pixels, grey",
    ):
        assert part in text
    assert json.loads(json.dumps(result.to_dict()))["entropy"]["n"] > 50


def test_what_is_said_is_what_fit_does(folder: Path) -> None:
    result = inspect(folder, image_size=32, cache=False, device="cpu")
    with pytest.warns(FitWarning, match="copies"):
        detector = entropix.fit(folder, image_size=32, epochs=1, skip_unreadable=True, progress=False, device="cpu")
    assert result.entropy is not None
    assert float(result.entropy) == pytest.approx(float(detector.entropy_), rel=1e-6)
    assert result.entropy.dimension == pytest.approx(detector.entropy_.dimension, rel=1e-6)
    settings = detector.settings_
    assert any(
        f"train on {settings['n_train']} of them and hold {settings['n_held_out']} out" in s for s in result.plan
    )


def test_too_few_images_and_raw_values(tmp_path: Path, rng: np.random.Generator) -> None:
    result = inspect(rng.integers(0, 4000, (20, 16, 16)), image_size=16)
    assert result.entropy is None
    assert "at least 80 are needed" in result.problem
    assert "fit would refuse:" in str(result)
    assert result.value_range is not None
    assert result.counts["n_duplicates_across_splits"] is None
    assert "values: raw, " in str(result)
    nothing = inspect(tmp_path)
    assert nothing.counts == {"n_images": 0}
    assert "fit would refuse:\n  folder" in str(nothing)
    assert "no images for split 'train'" in nothing.problem
    with pytest.raises(DataError, match="no such file"):
        inspect(tmp_path / "nowhere")
