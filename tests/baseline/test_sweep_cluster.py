"""A sweep on a Dask cluster of two workers gives what it gives in this process."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import threads

import entropix

pytest.importorskip("distributed", reason="dask and distributed (extra dask) are missing")

SETTINGS: dict[str, Any] = {"image_size": 16, "epochs": 3, "device": "cpu", "progress": False}


def test_two_workers(
    images: np.ndarray, mixed: entropix.datasets.Phantoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client, LocalCluster, get_task_stream
    from joblib import parallel_config

    asked = SETTINGS | {"test": mixed.images, "labels": mixed.labels, "dims": (1, 3), "seeds": (0, 1)}
    with threads(1):
        alone = entropix.sweep(images, **asked)

    def here(*_: Any, **__: Any) -> None:
        raise AssertionError("trained in this process")

    monkeypatch.setattr(importlib.import_module("entropix.baseline._sweep"), "fit_fixed", here)
    seen: list[int] = []
    with (
        threads(1),  # the foreign-content network of all d is trained here
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        parallel_config(backend="dask"),
        get_task_stream(client) as tasks,
    ):
        spread = entropix.sweep(
            images, jobs=-1, out=tmp_path / "sweep", on_row=lambda row: seen.append(row.latent_dim), **asked
        )
    assert len({task["worker"] for task in tasks.data}) == 2
    assert spread.rows == alone.rows
    assert seen == [1, 3, 1, 3]
    np.testing.assert_array_equal(
        spread.detector(3, 1).anomaly_score(mixed.images), alone.detector(3, 1).anomaly_score(mixed.images)
    )
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}  # the checkpoint went with the result
