"""A sweep compares squared errors with the masks beside its test images, as `entropix score` does its heat maps."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

import entropix


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """train/good, test/good, test/cut with ground_truth/cut, as MVTec AD has it; the squares are bright."""
    images = (entropix.datasets.phantoms(90, 2, image_size=16).images[:, 0] * 200).astype(np.uint8)
    for i, image in enumerate(images):
        kind = "train/good" if i < 84 else "test/good" if i < 87 else "test/cut"
        parts = {kind: image}
        if kind == "test/cut":
            image[4:8, 5:9] = 255
            parts["ground_truth/cut"] = np.where(image == 255, image, 0)
        for path, values in parts.items():
            (tmp_path / "set" / path).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / "set" / path / f"{i}.png")
    return tmp_path / "set"


def test_squared_errors_against_masks(folder: Path, tmp_path: Path) -> None:
    asked = {"image_size": 16, "dims": (1, 2), "epochs": 2, "device": "cpu", "progress": False}
    result = entropix.sweep(folder, out=tmp_path / "sweep", **asked)
    tests = entropix.data.read(folder, split="test", image_size=16, cache=False)
    x = tests.pixels[:, 0].numpy()
    masks = np.zeros(x.shape, bool)
    masks[tests.labels == 1, 4:8, 5:9] = True
    for row in result.rows:
        x_hat = result.detector(row.latent_dim).reconstruct(tests)[:, 0]
        expected = average_precision_score(masks.ravel(), np.square(x - x_hat).ravel())
        assert row.voxel_ap == pytest.approx(expected, abs=2e-3)
        assert 0 < row.aupro <= 1  # type: ignore[operator]
    table = result.table()
    assert [entry["best_dice"] for entry in table] == [row.best_dice for row in result.rows]
    of_files = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["masks"]
    assert [(row["latent_dim"], row["path"]) for row in of_files] == [
        (d, f"test/cut/{i}.png") for d in (1, 2) for i in (87, 88, 89)
    ]
    assert all(row["lesion_voxels"] == 16 for row in of_files)
