"""kill -9 at random moments of a fit and of a sweep: resumed, they end as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import entropix
from entropix import checkpoint
from entropix.checkpoint import Checkpoint

KILLS = 20
EPOCHS = 20


def work(command: str, data: Path, out: Path, resume: bool) -> None:
    """A fit or a sweep with a checkpoint every 20 ms, in a process of its own."""
    import warnings

    warnings.simplefilter("ignore")
    checkpoint.SECONDS = 0.02
    options: dict[str, Any] = {"image_size": 16, "epochs": EPOCHS, "device": "cpu", "progress": False}
    if command == "sweep":
        entropix.sweep(str(data), dims=(1, 3), seeds=(0, 1), out=out, resume=resume, **options)
    else:
        entropix.fit(str(data), strategy="constrain", out=out, resume=resume, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_killed_at_random_moments(tmp_path: Path, command: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["entropix.front", "entropix.sweeping"])

    def start(out: Path, resume: bool) -> Any:
        process = context.Process(target=work, args=(command, tmp_path / "x.npy", out, resume))
        process.start()
        return process

    np.save(tmp_path / "x.npy", entropix.datasets.phantoms(100, factors=3, image_size=16).images)
    whole, out = tmp_path / "whole", tmp_path / "out"
    kept = Checkpoint(out)
    for _ in range(2):  # once more: the first start is slower than the others
        shutil.rmtree(whole, ignore_errors=True)
        started = time.monotonic()
        process = start(whole, False)
        process.join()
        assert process.exitcode == 0
    seconds = time.monotonic() - started
    rng = np.random.default_rng(0)
    states = finished = 0
    for _ in range(KILLS):
        process = start(out, True)
        time.sleep(rng.uniform(0, 0.7 * seconds))
        process.kill()
        process.join()
        states += any(kept.folder.glob("*.safetensors"))
        if out.exists() and not kept.folder.exists():  # it was faster; once more from the start
            assert contents(out) == contents(whole)
            shutil.rmtree(out)
            finished += 1
    print(f"{KILLS} kills of a {command} of {seconds:.1f} s: {states} left a state, {finished} came too late")
    assert states >= 3, "the kills met no training; the machine was much slower when the whole one was timed"
    process = start(out, True)
    process.join()
    assert process.exitcode == 0
    assert contents(out) == contents(whole)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "out", "x.npy"}
