"""Training beside the loop of the paper's public benchmark; writes results/training.json.

    python benchmarks/training.py [--data FOLDER] [--epochs 60] [--seeds 0 1 2] [--device cpu] [--sweep] [--out JSON]

The same autoencoder of fixed d and the same training images, from files. Without --data the images are 1,000 phantoms.
Speed: images a second, from three turns in which each contestant trains for a few epochs.
Quality: the loop trains for --epochs; its goal is its lowest held-out error of any epoch, its time that up to this
epoch. Ours are whole trainings, a cycle of the learning rate each, of ever more epochs until one ends at or below that
error: its time counts. Both clocks begin with reading the files; measuring the held-out error is on neither.
Seconds of the processor are those of all threads, and the ones to compare on a machine with other work.
"""

import argparse
import json
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rivals.benchmark_loop import BenchmarkLoop, Images
from runs import environment, timed
from torch import Tensor

import entropix
from entropix._utils import in_batches, resolve_device
from entropix.data import ImageView, read
from entropix.models import Autoencoder
from entropix.ops import reconstruction_error
from entropix.training import RelativeError, split, train

D, SIZE, IMAGES = 16, 64, 1000
TURNS, TURN_EPOCHS = 3, 3
RATES = {"seconds": "images_per_second", "cpu_seconds": "images_per_cpu_second"}
SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.75, 1.0)  # of the loop's epochs, that ours train for


@dataclass(frozen=True)
class Data:
    """Files to train on, which each side reads in its own way, and others to measure the error on."""

    train: list[Path]
    held_out: list[Path]
    device: torch.device

    def read(self, paths: list[Path]) -> ImageView:
        """(n, 1, s, s) on [-1, 1], as `entropix.fit` reads files."""
        images = read(paths, image_size=SIZE, channels=1, cache=False)
        return ImageView.from_set(images, images.value_range(), self.device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of images; default: phantoms, written as PNG for the run")
    parser.add_argument("--epochs", type=int, default=60, help="of the benchmark's loop")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sweep", action="store_true", help="the sweep of 8 d and 3 seeds beside one training too")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/training.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.data or phantoms(Path(scratch))
        data = divide(folder, resolve_device(options.device))
        document = {
            **environment(),
            "data": "phantoms" if options.data is None else options.data.resolve().name,
            "device_trained_on": str(data.device),
            "latent_dim": D,
            "image_size": SIZE,
            "n_train": len(data.train),
            "n_held_out": len(data.held_out),
            "epochs": options.epochs,
            "seeds": options.seeds,
            "speed": speed(data),
            "quality": [quality(data, options.epochs, seed) for seed in options.seeds],
        }
        if options.sweep:
            document["sweep"] = sweep(data, options.epochs)
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def phantoms(folder: Path) -> Path:
    """Simulated images of 8 factors, 8 bits each, as files."""
    for i, image in enumerate(entropix.datasets.phantoms(IMAGES, factors=8, image_size=SIZE).images):
        Image.fromarray((image[0] * 255).round().astype(np.uint8)).save(folder / f"{i:04d}.png")
    return folder


def divide(folder: Path, device: torch.device) -> Data:
    """The files as `entropix.fit` divides them with seed 0."""
    images = read(folder, image_size=SIZE, channels=1, cache=False)
    training, held_out, _ = split(images.pixels, images.groups, 0)
    paths = [origin.path for origin in images.origins]
    return Data(*([paths[i] for i in indices] for indices in (training, held_out)), device)


def speed(data: Data) -> dict[str, Any]:
    """Images a second, by the wall's clock and the processor's: median and spread of the turns."""
    kept, opened = (Images(data.train, SIZE, kept=kept) for kept in (True, False))
    images = data.read(data.train)
    loops = {
        "benchmark loop": BenchmarkLoop(kept, D, 0, data.device),
        "benchmark loop, files opened every time": BenchmarkLoop(opened, D, 0, data.device),
    }
    contestants: dict[str, Callable[[], Any]] = {
        name: lambda loop=loop: [loop.epoch() for _ in range(TURN_EPOCHS)] for name, loop in loops.items()
    }
    contestants["entropix"] = lambda: ours(images, TURN_EPOCHS, 0)
    rates: dict[str, dict[str, list[float]]] = {name: {unit: [] for unit in RATES.values()} for name in contestants}
    for turn in range(TURNS + 1):
        for name, run in contestants.items():
            _, cost = clock(run, data.device)
            if turn:  # the first warms up
                for kind, seconds in cost.items():
                    rates[name][RATES[kind]].append(TURN_EPOCHS * len(data.train) / seconds)
    return {name: {unit: _spread(values) for unit, values in units.items()} for name, units in rates.items()}


def quality(data: Data, epochs: int, seed: int) -> dict[str, Any]:
    """The loop's lowest held-out error, and what it and ours took to get there."""
    known = data.read(data.held_out)[:]
    loop = _loop(data, known, epochs, seed)
    print(f"seed {seed}, benchmark loop: {loop}", file=sys.stderr)
    result: dict[str, Any] = {"seed": seed, "benchmark loop": loop, "entropix": []}
    for tried in sorted({max(1, round(share * epochs)) for share in SHARES}):
        model, cost = clock(lambda tried=tried: ours(data.read(data.train), tried, seed), data.device)
        entry = {"epochs": tried, "error": error(model, known)} | cost
        result["entropix"].append(entry)
        print(f"seed {seed}, entropix: {entry}", file=sys.stderr)
        if entry["error"] <= loop["error"]:
            result["faster"] = {kind: loop[kind] / entry[kind] for kind in ("epochs", *cost)}
            result["fit"] = _fit(data, known, tried, seed)
            break
    return result


def ours(images: ImageView, epochs: int, seed: int) -> Autoencoder:
    """The recipe of `entropix.fit(..., latent_dim=D)`."""
    torch.manual_seed(seed)
    model = Autoencoder(D, 1, SIZE).to(images.device)
    train(model, images, RelativeError(model), epochs=epochs, seed=seed, one_cycle=True)
    return model


def error(model: Autoencoder, images: Tensor) -> float:
    """Mean squared error in evaluation mode, on [-1, 1]."""
    model.eval()
    return reconstruction_error(images, in_batches(model, images)).mean().item()


def clock(run: Callable[[], Any], device: torch.device) -> tuple[Any, dict[str, float]]:
    """Value and seconds, until the device is done too."""

    def done() -> Any:
        value = run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return value

    return timed(done)


def _loop(data: Data, known: Tensor, epochs: int, seed: int) -> dict[str, Any]:
    loop, total = clock(lambda: BenchmarkLoop(Images(data.train, SIZE), D, seed, data.device), data.device)
    best = {"error": float("inf")}
    for epoch in range(1, epochs + 1):
        _, cost = clock(loop.epoch, data.device)
        total = {kind: total[kind] + seconds for kind, seconds in cost.items()}
        if (now := error(loop.model, known)) < best["error"]:
            best = {"epochs": epoch, "error": now, **total}
    whole = {f"whole_{kind}": seconds for kind, seconds in total.items()}
    return best | whole | {"last_error": now}


def _fit(data: Data, known: Tensor, epochs: int, seed: int) -> dict[str, Any]:
    """All that a user waits for: files to detector, split and scores and calibration included, on all the files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"latent_dim": D, "epochs": epochs, "seed": seed, "device": str(data.device), "progress": False}
        files = data.train + data.held_out
        _, cost = clock(lambda: entropix.fit(files, image_size=SIZE, **options), data.device)
    return {"epochs": epochs, "n": len(files)} | cost


def sweep(data: Data, epochs: int) -> dict[str, Any]:
    """8 d and 3 seeds, and one training of them, from files to scored detectors."""
    options = {"epochs": epochs, "device": str(data.device), "progress": False, "image_size": SIZE}
    files = data.train + data.held_out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, one = clock(lambda: entropix.sweep(files, dims=(D,), seeds=(0,), **options), data.device)
        _, all_of_them = clock(lambda: entropix.sweep(files, seeds=(0, 1, 2), **options), data.device)
    return {"one training": one, "8 d, 3 seeds": all_of_them, "ratio": all_of_them["seconds"] / one["seconds"]}


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


if __name__ == "__main__":
    main()
