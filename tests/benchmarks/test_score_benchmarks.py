"""The benchmarks of the score's parts and of redrawn normal images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import redraws
import score_parts
import torch
from runs import Runs
from tasks import Task

import entropix
from entropix.data import read
from entropix.scoring import detection_metrics


@pytest.fixture(scope="module")
def task() -> Task:
    train = entropix.datasets.phantoms(100, factors=2, image_size=32)
    test = entropix.datasets.phantoms(40, factors=2, image_size=32, lesions=0.5, seed=1)
    return Task(
        "small",
        read(train.images, image_size=32),
        replace(read(test.images, image_size=32, split="test"), labels=test.labels),
    )


def test_all_parts_are_the_default_score(task: Task, tmp_path: Path) -> None:
    detector = entropix.fit(task.train, latent_dim=4, image_size=32, epochs=3, device="cpu", progress=False)
    detector.save(tmp_path / "model-small-0")
    found = score_parts.one_fit(task, 0, Runs(tmp_path, None, "cpu"))
    expected = detection_metrics(task.test.labels, detector.anomaly_score(task.test))["auc"]
    assert found[score_parts.ALL]["auc"] == pytest.approx(expected)
    residual = detection_metrics(task.test.labels, detector.anomaly_score(task.test, "residual"))["auc"]
    assert found["squared error"]["auc"] == pytest.approx(residual)
    assert len({one["auc"] for one in found.values()}) > 5  # variants differ
    for one in found.values():
        assert all(0 <= value <= 1 for value in one.values())


def test_dissimilarity() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, 2, 16, 16, generator=generator) * 2 - 1
    assert score_parts.dissimilarity(x, x) == pytest.approx(torch.zeros(3), abs=1e-6)
    assert (score_parts.dissimilarity(x, x.flip(-1)) > score_parts.dissimilarity(x, 0.9 * x)).all()


def test_summary_of_parts() -> None:
    def run(data: str, change: float) -> dict[str, object]:
        return {"data": data, "variants": {score_parts.ALL: {"auc": 0.8}, "without blur": {"auc": 0.8 + change}}}

    found = score_parts.summarise([run("a", 0.02), run("a", 0.04), run("b", -0.01)])
    assert found["without blur"] == {"auc": 0.81, "auc_least_change": -0.01, "auc_largest_change": 0.03}


def test_normal_images_of_both_are_redrawn(task: Task) -> None:
    normal = redraws.joined(task.train, task.test.subset(task.test.labels == 0))
    assert len(normal) == len(set(normal.groups)) == len(task.train) + int((task.test.labels == 0).sum())
    np.testing.assert_array_equal(normal.pixels[: len(task.train)], task.train.pixels)
