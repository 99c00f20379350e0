"""kill -9 at random moments of a fit and of a sweep: resumed, they end as if nothing had happened."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import contents

import entropix
from entropix.training import _checkpoint as checkpoint
from entropix.training._checkpoint import Checkpoint

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


def written(checkpoints: Path) -> int:
    """When the newest state of a training was written, in ns; 0 if there is none."""
    times = [0]
    for path in checkpoints.glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):  # it is done
            times.append(path.stat().st_mtime_ns)
    return max(times)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_killed_at_random_moments(images: np.ndarray, tmp_path: Path, command: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["entropix.detector._fit", "entropix.baseline._sweep"])

    def start(out: Path, resume: bool) -> Any:
        process = context.Process(target=work, args=(command, tmp_path / "x.npy", out, resume))
        process.start()
        return process

    np.save(tmp_path / "x.npy", images)
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
    for turn in range(KILLS):
        before = written(kept.folder)
        process = start(out, True)
        if to_training := turn % 2 == 1:  # by the clock alone a busy machine might never get that far
            while process.is_alive() and written(kept.folder) == before:
                time.sleep(0.001)
        time.sleep(rng.uniform(0, (0.1 if to_training else 0.7) * seconds))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        states += written(kept.folder) not in (0, before)
        if out.exists() and not (kept.folder / checkpoint.ABOUT).exists():  # it was faster; once more from the start
            assert contents(out) == contents(whole)
            shutil.rmtree(out)
            finished += 1
    print(f"{KILLS} kills of a {command} of {seconds:.1f} s: {states} met its training, {finished} came too late")
    assert states >= KILLS // 4
    process = start(out, True)
    process.join()
    assert process.exitcode == 0
    assert contents(out) == contents(whole)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "out", "x.npy"}
