"""A fit that was interrupted goes on and ends as one that was not; what can't go on says why."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import contents

import entropix
from entropix._utils._console import Epoch
from entropix.models import Autoencoder
from entropix.training import _checkpoint as checkpoint
from entropix.training import squared_error, train
from entropix.training._checkpoint import Checkpoint, CheckpointError, CheckpointWarning

SETTINGS: dict[str, Any] = {"image_size": 16, "epochs": 4, "device": "cpu", "progress": False}


class Killed(Exception):
    """What `interrupted` ends a fit with."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, few_candidates: None) -> None:
    """A checkpoint before every step, and few candidates to measure."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)


def interrupted(images: np.ndarray, out: Path, epoch: int, **options: Any) -> None:
    """A fit that ends after this epoch."""

    def stop(at: Epoch) -> None:
        if at.epoch == epoch:
            raise Killed

    with pytest.raises(Killed):
        entropix.fit(images, out=out, on_epoch=stop, **SETTINGS | options)


@pytest.mark.parametrize(
    "options",
    [{}, {"strategy": "prune"}, {"strategy": "constrain"}, {"latent_dim": 3}],
    ids=["select", "prune", "constrain", "fixed"],
)
def test_resumed_fit_is_the_uninterrupted_one(images: np.ndarray, tmp_path: Path, options: dict[str, Any]) -> None:
    entropix.fit(images, out=tmp_path / "whole", **SETTINGS | options)
    interrupted(images, tmp_path / "model", 2, **options)
    assert not (tmp_path / "model").exists()
    seen: list[int] = []
    resumed = entropix.fit(
        images, out=tmp_path / "model", resume=True, on_epoch=lambda at: seen.append(at.epoch), **SETTINGS | options
    )
    assert seen == [2, 3, 4]  # the last state of epoch 2 was before its last step
    assert len(resumed.history_) == 4
    assert contents(tmp_path / "model") == contents(tmp_path / "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "model"}


def test_vectors_too(tmp_path: Path, rng: np.random.Generator) -> None:
    rows = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(200, 8))
    entropix.fit(rows, out=tmp_path / "whole", **SETTINGS)
    interrupted(rows, tmp_path / "model", 3)
    entropix.fit(rows, out=tmp_path / "model", resume=True, **SETTINGS)
    assert contents(tmp_path / "model") == contents(tmp_path / "whole")
    interrupted(rows, tmp_path / "other", 3)
    with pytest.raises(CheckpointError, match="rows"):
        entropix.fit(rows + 1, out=tmp_path / "other", resume=True, **SETTINGS)


def test_other_data_or_settings_are_refused(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    interrupted(images, out, 2)
    before = contents(tmp_path / "model.checkpoint")
    for change, message in (
        ({"seed": 1}, r"seed 0 there, 1 here\)"),
        ({"epochs": 5}, r"epochs 4 there, 5 here\)"),
        ({"strategy": "prune"}, r"strategy select there, prune here\)"),
        ({"latent_dim": 3}, "latent_dim None there, 3 here"),
        ({"image_size": 32}, "images .* there, .* here"),
    ):
        with pytest.raises(CheckpointError, match=f"other data or settings.*{message}"):
            entropix.fit(images, out=out, resume=True, **SETTINGS | change)
    with monkeypatch.context() as patch:
        patch.setattr("entropix.training._parallel.processes", lambda: 2)
        with pytest.raises(CheckpointError, match=r"devices 1 there, 2 here"):
            entropix.fit(images, out=out, resume=True, **SETTINGS)
    with pytest.raises(CheckpointError, match=r"images .* there"):
        entropix.fit(images[::-1], out=out, resume=True, **SETTINGS)
    with pytest.raises(FileExistsError, match=r"model.checkpoint is the checkpoint of an interrupted run.*--resume"):
        entropix.fit(images, out=out, **SETTINGS)
    assert contents(tmp_path / "model.checkpoint") == before
    entropix.fit(images, out=out, overwrite=True, **SETTINGS | {"seed": 1})
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


def test_resume_without_a_checkpoint(images: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="resume=True without out"):
        entropix.fit(images, resume=True, **SETTINGS)
    with pytest.warns(CheckpointWarning, match="no checkpoint at .*model.checkpoint: starting anew"):
        entropix.fit(images, out=tmp_path / "model", latent_dim=2, resume=True, **SETTINGS)
    with (
        pytest.warns(CheckpointWarning, match="starting anew"),
        pytest.raises(FileExistsError, match="already holds a model"),
    ):
        entropix.fit(images, out=tmp_path / "model", latent_dim=2, resume=True, **SETTINGS)


def test_killed_while_the_model_was_written(images: np.ndarray, tmp_path: Path) -> None:
    out = tmp_path / "model"
    interrupted(images, out, 3, latent_dim=2)
    (tmp_path / ".model-0a1b2c3d" / "new").mkdir(parents=True)
    (tmp_path / ".model-notmine8").mkdir()
    (tmp_path / ".model-notmine8" / "notes.txt").write_text("mine")
    entropix.fit(images, out=tmp_path / "model", latent_dim=2, resume=True, **SETTINGS)
    assert {path.name for path in tmp_path.iterdir()} == {"model", ".model-notmine8"}
    model = contents(out)
    # and after it was written, before the checkpoint went
    interrupted(images, tmp_path / "duplicate", 3, latent_dim=2)
    out.rename(tmp_path / "duplicate")
    entropix.fit(images, out=tmp_path / "duplicate", latent_dim=2, resume=True, **SETTINGS)
    assert contents(tmp_path / "duplicate") == model


@pytest.mark.parametrize("damage", ["half", "pickle", "json", "moments"])
def test_damaged_checkpoints_are_refused(images: np.ndarray, tmp_path: Path, damage: str) -> None:
    from safetensors.torch import load_file, save_file

    out = tmp_path / "model"
    interrupted(images, out, 3, latent_dim=2)
    state = tmp_path / "model.checkpoint" / "training.safetensors"
    if damage == "half":
        state.write_bytes(state.read_bytes()[:-1000])
    elif damage == "pickle":
        torch.save({"model": 1}, state)
    elif damage == "json":
        (tmp_path / "model.checkpoint" / "checkpoint.json").write_text("[")
    else:
        tensors = {name: tensor[..., :1] if "exp_avg" in name else tensor for name, tensor in load_file(state).items()}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, state, {"facts": "{}"})
    with pytest.raises(CheckpointError, match=r"(is damaged|does not fit).*remove"):
        entropix.fit(images, out=out, latent_dim=2, resume=True, **SETTINGS)
    assert not out.exists()


def test_something_else_in_its_place(images: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "model.checkpoint").mkdir()
    (tmp_path / "model.checkpoint" / "notes.txt").write_text("mine")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(FileExistsError, match="holds other files than a checkpoint"):
            entropix.fit(images, out=tmp_path / "model", **SETTINGS, **options)
    assert (tmp_path / "model.checkpoint" / "notes.txt").read_text() == "mine"


def test_a_diverging_training_keeps_its_last_finite_state(tmp_path: Path) -> None:
    model = Autoencoder(1, image_size=16)
    x = torch.rand(128, 1, 16, 16)
    plain = squared_error(model)
    steps = iter(range(100))
    kept = Checkpoint(tmp_path / "model")
    kept.begin({})
    with pytest.raises(FloatingPointError, match=r"became nan in epoch 2 of 5.*last finite state is in .*checkpoint"):
        train(
            model,
            x,
            lambda batch, generator: plain(batch, generator) * (float("nan") if next(steps) == 2 else 1),
            epochs=5,
            seed=0,
            checkpoint=kept,
        )
    known = kept.load("training")
    assert known is not None
    tensors, facts = known
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert len(facts["losses"]) == 1


def test_no_room(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "model"
    usage = checkpoint.shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.shutil, "disk_usage", lambda _: usage._replace(free=10**5))
        with pytest.raises(OSError, match=r"MB are needed and 0 MB are free.*model.checkpoint"):
            entropix.fit(images, out=out, on_epoch=lambda _: pytest.fail("it trained"), **SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up(images: np.ndarray, tmp_path: Path) -> None:
    """Later states don't fit: the training goes on, the first state stays."""
    kept = Checkpoint(tmp_path / "model")
    kept.begin({})
    kept.save("training", {"x": torch.zeros(10)}, {"losses": []})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        with pytest.warns(CheckpointWarning, match="no checkpoint written, the last one stays: .*too large"):
            kept.save("training", {"x": torch.zeros(10_000)}, {"losses": []})
        with pytest.raises(OSError, match="too large"):
            kept.save("other", {"x": torch.zeros(10_000)}, {"losses": []})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    known = kept.load("training")
    assert known is not None
    assert len(known[0]["x"]) == 10
    assert set(contents(kept.folder)) == {"checkpoint.json", "training.safetensors"}


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """The command line with a checkpoint every 20 ms, in a process of its own that runs in `folder`."""
    # a shell that starts the tests in the background has its children ignore Ctrl-C
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = (
        f"{listen}; import entropix.training._checkpoint as c; c.SECONDS = 0.02; from entropix.cli import main; main()"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)


def test_ctrl_c_says_how_to_go_on(images: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", images)
    options = ["--image-size", 16, "--latent-dim", 2, "--device", "cpu"]
    command = ["fit", tmp_path / "x.npy", "--out", tmp_path / "model", *options]
    process = start(tmp_path, *command, "--epochs", 100_000)
    wait_for(tmp_path / "model.checkpoint" / "training.safetensors", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 130, err
    assert out == ""
    assert [line for line in err.splitlines() if "--resume" in line] == err.splitlines()[-1:]
    assert "Traceback" not in err
    assert "model.checkpoint" in err
    process = start(tmp_path, *command, "--epochs", 3, "--resume")
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1
    assert "epochs 100000 there, 3 here" in err
    assert os.listdir(tmp_path / "model.checkpoint")
