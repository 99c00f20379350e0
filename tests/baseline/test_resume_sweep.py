"""A sweep that was interrupted goes on, training by training; in processes it gives what it gives in a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import threads

import entropix
from entropix.baseline._result import SweepRow
from entropix.training import _checkpoint as checkpoint
from entropix.training._checkpoint import CheckpointError

SETTINGS: dict[str, Any] = {"image_size": 16, "epochs": 3, "device": "cpu", "progress": False, "dims": (1, 3)}


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)


class Killed(Exception):
    """What ends a sweep here."""


@pytest.mark.parametrize("model", ["ae", "vae"])
def test_resumed_sweep_is_the_uninterrupted_one(
    images: np.ndarray, mixed: entropix.datasets.Phantoms, tmp_path: Path, model: str
) -> None:
    asked = SETTINGS | {"test": mixed.images, "labels": mixed.labels, "model": model, "seeds": (0, 1)}
    whole = entropix.sweep(images, out=tmp_path / "whole", **asked)

    def stop(row: SweepRow) -> None:
        if (row.latent_dim, row.seed) == (3, 0):
            raise Killed

    with pytest.raises(Killed):
        entropix.sweep(images, out=tmp_path / "sweep", on_row=stop, **asked)
    trained = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "sweep.checkpoint").glob("*.safetensors")}
    assert set(trained) == {"foreign-content-seed0", "d1-seed0", "d3-seed0"}
    with pytest.raises(CheckpointError, match="epochs 3 there, 4 here"):
        entropix.sweep(images, out=tmp_path / "sweep", resume=True, **asked | {"epochs": 4})
    with pytest.raises(FileExistsError, match="interrupted run"):
        entropix.sweep(images, out=tmp_path / "sweep", **asked)
    resumed = entropix.sweep(images, out=tmp_path / "sweep", resume=True, **asked)
    assert resumed.rows == whole.rows
    for name in ("sweep.csv", "sweep.json"):
        assert (tmp_path / "sweep" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    scores = [sweep.detector(3, 1).anomaly_score(mixed.images) for sweep in (resumed, whole)]
    np.testing.assert_array_equal(*scores)
    assert {path.name for path in tmp_path.iterdir()} == {"sweep", "whole"}


def test_trainings_that_are_done_are_not_done_again(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(row: SweepRow) -> None:
        if row.latent_dim == 3:
            raise Killed

    with pytest.raises(Killed):
        entropix.sweep(images, out=tmp_path / "sweep", on_row=stop, **SETTINGS)
    steps = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda *a, **k: (steps.append(1), step(*a, **k))[1])
    result = entropix.sweep(images, out=tmp_path / "sweep", resume=True, **SETTINGS | {"dims": (1, 2, 3)})
    assert [row.latent_dim for row in result.rows] == [1, 2, 3]
    assert len(steps) == 3  # d = 2: three epochs of one batch


def test_processes_give_the_same(images: np.ndarray, mixed: entropix.datasets.Phantoms, tmp_path: Path) -> None:
    asked = SETTINGS | {"test": mixed.images, "labels": mixed.labels}
    with threads(1):
        alone = entropix.sweep(images, **asked)
    from joblib import parallel_config

    # one thread here too: the foreign-content network of all d is trained in this process
    with threads(1), parallel_config(inner_max_num_threads=1, backend="loky"):
        together = entropix.sweep(images, out=tmp_path / "sweep", jobs=2, **asked)
    assert together.rows == alone.rows
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["settings"]["seeds"] == [0]
    np.testing.assert_array_equal(
        together.detector(3).anomaly_score(mixed.images), alone.detector(3).anomaly_score(mixed.images)
    )
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}


def test_nothing_is_written_when_it_fails(images: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(entropix.data.DataError, match="79 images"):
        entropix.sweep(images[:79], out=tmp_path / "sweep", **SETTINGS)
    with pytest.raises(ValueError, match="resume=True without out"):
        entropix.sweep(images, resume=True, **SETTINGS)
    assert list(tmp_path.iterdir()) == []
