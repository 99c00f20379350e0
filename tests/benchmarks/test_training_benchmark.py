"""The benchmark of training: the loop that it re-creates, and what it says about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import growth
import numpy as np
import pytest
import torch
import training
from PIL import Image
from rivals.benchmark_loop import BenchmarkLoop, Images

import entropix


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images")
    for i, image in enumerate(entropix.datasets.phantoms(100, factors=2, image_size=48).images):
        Image.fromarray((image[0] * 255).round().astype(np.uint8)).save(path / f"{i:03d}.png")
    return path


@pytest.mark.parametrize("kept", [True, False])
def test_items_are_the_images_on_minus_one_to_one(folder: Path, kept: bool) -> None:
    paths = sorted(folder.iterdir())
    items = Images(paths, 32, kept=kept)
    assert len(items) == 100
    image = Image.open(paths[7]).resize((32, 32), resample=Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.asarray(image) / 127.5 - 1)[None].float()
    torch.testing.assert_close(items[7]["img"], expected, rtol=0, atol=1e-6)
    assert items[7]["name"] == "007"
    entropix_reads = entropix.data.read(paths[7:8], image_size=32).pixels[0] * 2 - 1
    torch.testing.assert_close(items[7]["img"], entropix_reads, rtol=0, atol=0.02)  # resized to whole grey levels


def test_loop_learns(folder: Path) -> None:
    loop = BenchmarkLoop(Images(sorted(folder.iterdir()), 32), 2, 0, torch.device("cpu"))
    losses = [loop.epoch() for _ in range(4)]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::entropix.exceptions.FitWarning")
def test_document(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "TURN_EPOCHS", 1)
    monkeypatch.setattr(training, "SIZE", 32)
    loop_of_three, errors = training._loop, ("error", "last_error")

    def worse(*arguments: Any) -> dict[str, Any]:
        """The loop ten times worse than it is: within the reach of three epochs."""
        found = loop_of_three(*arguments)
        return found | {name: 10 * found[name] for name in errors}

    monkeypatch.setattr(training, "_loop", worse)
    out = tmp_path / "training.json"
    arguments = f"--data {folder} --epochs 3 --seeds 1 --sweep --out {out}"
    monkeypatch.setattr(sys, "argv", ["training.py", *arguments.split()])
    training.main()
    document = json.loads(out.read_text())
    assert document["n_train"] == 80
    assert document["n_held_out"] == 20
    assert set(document["speed"]) == {"benchmark loop", "benchmark loop, files opened every time", "entropix"}
    for units in document["speed"].values():
        for rate in units.values():
            assert 0 < rate["lowest"] <= rate["median"] <= rate["highest"]
    (quality,) = document["quality"]
    loop, tries = quality["benchmark loop"], quality["entropix"]
    assert loop["error"] <= loop["last_error"]
    assert loop["cpu_seconds"] <= loop["whole_cpu_seconds"]
    assert all(one["error"] > loop["error"] for one in tries[:-1])
    assert tries[-1]["error"] <= loop["error"]
    assert quality["faster"]["cpu_seconds"] == pytest.approx(loop["cpu_seconds"] / tries[-1]["cpu_seconds"])
    assert quality["fit"]["n"] == 100
    assert quality["fit"]["epochs"] == tries[-1]["epochs"]
    assert quality["fit"]["cpu_seconds"] > 0
    assert document["sweep"]["ratio"] > 1


def test_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < growth.step(16, 4) < growth.step(64, 4)
    cost = growth.entropy(300, 4)
    assert cost["n"] == 300
    assert cost["kl_cpu_seconds"] > 0
    # a training image costs 2 ms each time it is shown; all but 2,000 held-out ones are shown 25 times
    assert growth.million(2.0) == {"n_train": 998_000, "epochs": 25, "training_hours": 13.9}
