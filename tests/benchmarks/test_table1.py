"""The reproduction of Table 1: finds what is here, and puts ours beside the paper's."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pixels import pixel_metrics, read_masks
from reproduce_table1 import DIMS, SETS, present, reproduce, table
from runs import Runs
from sklearn.metrics import average_precision_score
from tasks import Task

from entropix.data import read
from entropix.datasets import phantoms


def test_sets_are_found(tmp_path: Path) -> None:
    assert present(tmp_path) == {}
    for name in ("VinCXR", "BrainTumor", "rsna", "Camelyon16"):
        (tmp_path / name).mkdir()
    found = {name: path.name for name, path in present(tmp_path).items()}
    assert found == {"RSNA": "rsna", "VinDr-CXR": "VinCXR", "Brain Tumor": "BrainTumor"}


def test_the_papers_numbers_are_complete() -> None:
    for _, epochs, *metrics in SETS.values():
        assert epochs in (250, 600)
        assert all(len(values) == len(DIMS) for values in metrics)
    best = {name: DIMS[int(np.argmax(auc))] for name, (_, _, auc, *_) in SETS.items()}
    assert best == {"RSNA": 4, "VinDr-CXR": 4, "Brain Tumor": 32, "BraTS2021": 16}  # as its text says


def test_table() -> None:
    task: Any = SimpleNamespace(train=range(7), test=SimpleNamespace(labels=np.array([0, 1, 1])))
    runs: Any = SimpleNamespace(
        epochs_of=lambda _: 600,
        sweep=lambda _, dims, seed: [{"auc": 0.8 + 0.02 * seed, "ap": 0.5 + 0.001 * d} for d in dims],
    )
    result = reproduce("Brain Tumor", task, [32, 4], [0, 1, 2], runs, Path())
    assert result["rows"][0]["auc_sd"] == pytest.approx(2)
    lines = table(result).splitlines()
    assert "Brain Tumor (7 / 1 + 2 images, 600 epochs)" in lines
    assert "| 32 | 82.0 +- 2.0 | 87.1 | 53.2 +- 0.0 | 77.8 |" in lines
    assert "| 4 | 82.0 +- 2.0 | 70.8 | 50.4 +- 0.0 | 64.1 |" in lines
    alone = reproduce("RSNA", task, [1], [5], runs, Path())
    assert alone["rows"][0]["auc_sd"] == 0


def test_pixels_of_brats(tmp_path: Path) -> None:
    folder = tmp_path / "BraTS2021"
    images = phantoms(100, 2, image_size=16).images[:, 0]
    names = [f"{i}.png" for i in range(100)]
    masks = np.zeros((100, 16, 16), bool)
    masks[90:, 4:8, 4:8] = True
    for i, name in enumerate(names):
        for place, values in (("images", images[i] + masks[i]), ("masks", masks[i])):
            (folder / place).mkdir(parents=True, exist_ok=True)
            if place == "images" or i >= 90:
                Image.fromarray((255 * values.clip(0, 1)).astype(np.uint8)).save(folder / place / name)
    (folder / "data.json").write_text(
        json.dumps({"train": {"0": names[:85]}, "test": {"0": names[85:90], "1": names[90:]}})
    )
    data = {part: read(folder, split=part, image_size=16) for part in ("train", "test")}
    task = Task("BraTS2021", data["train"], data["test"])
    assert (read_masks(folder, task.test) == masks[85:]).all()
    runs = Runs(tmp_path / "parts", 2, "cpu")
    result = reproduce("BraTS2021", task, [2], [0], runs, folder)
    error = (task.test.pixels.numpy() - runs.detector(task, 2, 0).reconstruct(task.test)) ** 2
    expected = 100 * average_precision_score(masks[85:].ravel(), error.ravel())
    assert result["rows"][0]["pixel_ap"] == pytest.approx(expected)
    assert "| 2 |" in table(result)
    assert table(result).count("pixel AP | paper") == 1
    (folder / "masks" / "95.png").unlink()
    with pytest.raises(SystemExit, match=r"no mask of .*95\.png"):
        read_masks(folder, task.test)
    maps = np.random.default_rng(0).random((2, 4, 4))
    assert pixel_metrics(maps > 0.5, maps) == {"pixel_ap": 1, "dice": 1}
