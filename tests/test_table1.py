"""The reproduction of Table 1: finds what is here, and puts ours beside the paper's."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reproduce_table1 import DIMS, SETS, present, reproduce, table


def test_sets_are_found(tmp_path: Path) -> None:
    assert present(tmp_path) == {}
    for name in ("VinCXR", "BrainTumor", "rsna", "Camelyon16"):
        (tmp_path / name).mkdir()
    found = {name: path.name for name, path in present(tmp_path).items()}
    assert found == {"RSNA": "rsna", "VinDr-CXR": "VinCXR", "Brain Tumor": "BrainTumor"}


def test_the_papers_numbers_are_complete() -> None:
    for _, epochs, auc, ap in SETS.values():
        assert epochs in (250, 600)
        assert len(auc) == len(ap) == len(DIMS)
    best = {name: DIMS[int(np.argmax(auc))] for name, (_, _, auc, _) in SETS.items()}
    assert best == {"RSNA": 4, "VinDr-CXR": 4, "Brain Tumor": 32, "BraTS2021": 16}  # as its text says


def test_table() -> None:
    task: Any = SimpleNamespace(train=range(7), test=SimpleNamespace(labels=np.array([0, 1, 1])))
    runs: Any = SimpleNamespace(
        epochs_of=lambda _: 600, fixed=lambda _, d, seed: {"auc": 0.8 + 0.02 * seed, "ap": 0.5 + 0.001 * d}
    )
    result = reproduce("Brain Tumor", task, [32, 4], [0, 1, 2], runs)
    assert result["rows"][0]["auc_sd"] == pytest.approx(2)
    lines = table(result).splitlines()
    assert "Brain Tumor (7 / 1 + 2 images, 600 epochs)" in lines
    assert "| 32 | 82.0 +- 2.0 | 87.1 | 53.2 +- 0.0 | 77.8 |" in lines
    assert "| 4 | 82.0 +- 2.0 | 70.8 | 50.4 +- 0.0 | 64.1 |" in lines
    alone = reproduce("RSNA", task, [1], [5], runs)
    assert alone["rows"][0]["auc_sd"] == 0
