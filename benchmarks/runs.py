"""Trainings that the benchmarks share. Each is kept on disk once it is done, so that a killed run continues."""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from tasks import Task

import entropix
from entropix._utils import resolve_device
from entropix.detector import default_epochs, separation
from entropix.scoring import detection_metrics
from entropix.training import TrainingData

T = TypeVar("T")


@dataclass(frozen=True)
class Runs:
    """Where results are kept (`parts`: a JSON file each, and the detectors), and how to train.

    epochs: None: 100,000 / n passes, between 25 and 600, over the training images of a set's n normal ones: x
    """

    parts: Path
    epochs: int | None
    device: str

    def epochs_of(self, task: Task) -> int:
        return self.epochs or default_epochs(len(task.train))

    def prepare(self, task: Task, seed: int) -> TrainingData:
        """The training images and the held-out ones that every training of this seed has."""
        return TrainingData.from_images(task.train, seed, resolve_device(self.device))

    def sweep(self, task: Task, dims: Sequence[int], seed: int) -> list[dict[str, Any]]:
        """The sweep over fixed d: of each d the two scores; the seconds are those of the whole sweep."""

        def compute() -> list[dict[str, Any]]:
            result, cost = timed(
                lambda: entropix.sweep(task.train, task.test, dims=dims, seeds=(seed,), **self._options(task))
            )
            rows = []
            for d, row in zip(dims, result.table(), strict=True):
                detector = result.detector(d, seed)
                detector.save(self._model(task, d, seed), overwrite=True)
                surprisal = detection_metrics(task.test.labels, detector.anomaly_score(task.test))
                rows.append(row | cost | {"surprisal": surprisal})
            return rows

        return self.once(task, seed, "-".join(map(str, dims)), compute)

    def automatic(self, task: Task, strategy: str, seed: int) -> dict[str, Any]:
        """The automatic fit: its choice and its two scores."""

        def compute() -> dict[str, Any]:
            detector, cost = timed(
                lambda: entropix.fit(task.train, strategy=strategy, seed=seed, **self._options(task))
            )
            detector.save(self._model(task, strategy, seed), overwrite=True)
            explained = detector.explain(task.test)
            values = {score: explained[score] for score in ("surprisal", "residual")}
            separated = separation(detector, task.test, task.test.labels, values)
            copies = {"copies": separated.copies, "without_copies": separated.without_copies}
            assert detector.entropy_ is not None
            about = {"latent_dim": detector.latent_dim_, "reason": detector.reason_, "curve": detector.curve_}
            return about | {"entropy": detector.entropy_.to_dict()} | cost | copies | separated.metrics

        return self.once(task, seed, strategy, compute)

    def detector(self, task: Task, run: int | str, seed: int) -> entropix.EntropixDetector:
        """The detector of a training that was done: run is its d, or its strategy."""
        return entropix.load(self._model(task, run, seed), device=self.device)

    def once(self, task: Task, seed: int, run: str, compute: Callable[[], T]) -> T:
        """The result of a run, computed and written if it is not there yet."""
        return once(self.parts / f"{self._stem(task, seed)}-{run}.json", compute)

    def _stem(self, task: Task, seed: int) -> str:
        return f"{task.name}-{self.epochs_of(task)}-{seed}"

    def _model(self, task: Task, run: int | str, seed: int) -> Path:
        return self.parts / f"model-{self._stem(task, seed)}-{run}"

    def _options(self, task: Task) -> dict[str, Any]:
        options = {"epochs": self.epochs_of(task), "image_size": task.image_size}
        return options | {"device": self.device, "progress": False}


def arguments(description: str | None, result: str) -> argparse.ArgumentParser:
    """The options that benchmarks on many sets have in common; `result` is their file in benchmarks/results."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results", result))
    return parser


def once(path: Path, compute: Callable[[], T]) -> T:
    """A result kept as JSON at `path`, computed and written if it is not there yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(compute()))
        partial.replace(path)
        print(f"done: {path.stem}", file=sys.stderr)
    result: T = json.loads(path.read_text())
    return result


def timed(compute: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """The value, and what it took. The time of the processor is that of all threads, whatever else was running."""
    wall, processor = time.perf_counter(), time.process_time()
    value = compute()
    return value, {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}


def environment() -> dict[str, Any]:
    """Command, machine and versions."""
    script, *arguments = sys.argv
    return {
        "command": shlex.join(["python", f"benchmarks/{Path(script).name}", *arguments]),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": {"entropix": entropix.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }
