"""A fit on TensorBoard."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from command_line import entropix_cli

import entropix
from entropix._utils._console import Epoch

api = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

EPOCHS = [
    Epoch(1, 3, 0.5, 1.0),
    Epoch(2, 3, 0.4, 2.0, error_held_out=0.02, entropy=5.0, entropy_images=9.0),
    Epoch(3, 3, 0.3, 3.0, error_held_out=0.01, entropy=7.0, entropy_images=9.0),
]


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Value by step by name."""
    events = api.EventAccumulator(str(folder)).Reload()
    return {name: {one.step: one.value for one in events.Scalars(name)} for name in events.Tags()["scalars"]}


def test_every_number_is_written(tmp_path: Path) -> None:
    from entropix.writers._tensorboard import TensorBoard

    watch = TensorBoard(tmp_path / "logs")
    for at in EPOCHS:
        watch(at)
    assert scalars(tmp_path / "logs") == {
        "loss": {1: 0.5, 2: pytest.approx(0.4), 3: pytest.approx(0.3)},
        "error_held_out": {2: pytest.approx(0.02), 3: pytest.approx(0.01)},
        "entropy": {2: 5.0, 3: 7.0},
        "entropy_images": {2: 9.0, 3: 9.0},
    }


def test_a_resumed_fit_goes_on_in_the_same_folder(tmp_path: Path) -> None:
    from entropix.writers._tensorboard import TensorBoard

    first, second = TensorBoard(tmp_path), TensorBoard(tmp_path)
    for at in (EPOCHS[0], Epoch(2, 3, 99.0, 2.0)):
        first(at)
    for at in EPOCHS[1:]:
        second(at)
    assert scalars(tmp_path)["loss"] == {1: 0.5, 2: pytest.approx(0.4), 3: pytest.approx(0.3)}


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", entropix.datasets.phantoms(100, 2, image_size=16).images)
    logs, json_lines = tmp_path / "logs", tmp_path / "fit.jsonl"
    options = ["--image-size", 16, "--latent-dim", 2, "--device", "cpu", "--epochs", 2]
    watched = ["--tensorboard", logs, "--log-json", json_lines]
    entropix_cli("fit", tmp_path / "x.npy", "--out", tmp_path / "m", *options, *watched)
    assert list(scalars(logs)["loss"].values()) == pytest.approx(entropix.load(tmp_path / "m").history_)
    assert len(json_lines.read_text().splitlines()) == 2
    again = ["fit", tmp_path / "x.npy", "--out", tmp_path / "n", *options]
    assert "logs is not empty" in entropix_cli(*again, "--tensorboard", logs, code=1).stderr
    entropix_cli(*again, "--tensorboard", logs, "--overwrite")
    assert list(scalars(logs)["loss"].values()) == pytest.approx(entropix.load(tmp_path / "n").history_)
    again[3] = tmp_path / "o"
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "entropix.writers._tensorboard.find_spec", lambda name: None if name == "tensorboard" else find(name)
    )
    error = entropix_cli(*again, "--tensorboard", tmp_path / "new", code=1).stderr
    assert "pip install -c constraints.txt '.[tensorboard]'" in error
    assert not (tmp_path / "o").exists()
    assert not (tmp_path / "new").exists()
