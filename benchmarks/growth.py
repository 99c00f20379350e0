"""How the cost of a fit grows, and what a million images take by that; writes results/growth.json.

    python benchmarks/growth.py [--sizes 1000] [--out JSON]

Processor seconds of one thread, the smallest of a few turns. Training: a step of the fixed-d autoencoder and of the
nested one that the default fit trains, by size of the images and length of the code. Rest: a fit with one epoch less
that epoch, which is reading, search for copies, choice of d, models of residuals and calibration. Entropy: by number of
rows and of dimensions. Processes: a training divided among two, on the CPU, all their processor seconds beside those of
one. A million images: the default number of epochs of the nested autoencoder, on all of them but the held-out ones;
training alone, computed from a step.
Whole fits by number of images are in `scale.py`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from runs import environment
from scale import simulate

import entropix
from entropix.detector import default_epochs
from entropix.models import Autoencoder
from entropix.strategies import CANDIDATES
from entropix.training import TRAINING_BATCH, NestedError, RelativeError, parallel, train
from entropix.training._split import HELD_OUT, MOST_HELD_OUT

STEPS = 6  # batches of a turn
TURNS = 2
MILLION = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/growth.json"))
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000], help="images of the fits")
    parser.add_argument("--processes", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.processes:
        divided(options.processes)
        return
    if find_spec("lightning_fabric") is None:
        parser.error("lightning-fabric divides a training among processes; pip install -c constraints.txt '.[fabric]'")
    pixels = {f"{size}, d = {d}": step(size, d) for size, d in ((32, 16), (64, 16), (64, 128), (128, 16))}
    nested = step(64, None)
    document = {
        **environment(),
        "training_ms_per_image": pixels | {"64, nested": nested},
        "rest_of_fit": [rest_of_fit(n, nested) for n in options.sizes],
        "entropy": [entropy(n, d) for n, d in ((5_000, 16), (10_000, 16), (5_000, 64))],
        "processes": [processes(n) for n in (1, 2)],
        "million": million(nested),
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def step(size: int, d: int | None) -> float:
    """Processor milliseconds per image of a training step; d None: the nested autoencoder."""
    images = torch.rand(STEPS * TRAINING_BATCH, 1, size, size) * 2 - 1
    model = Autoencoder(CANDIDATES[-1] if d is None else d, 1, size)
    objective = NestedError(model, CANDIDATES) if d is None else RelativeError(model)
    return 1e3 * fastest(lambda: train(model, images, objective, epochs=1, seed=0, one_cycle=True)) / len(images)


def rest_of_fit(n: int, nested: float) -> dict[str, float]:
    """All that a fit of n images of 64 x 64 does beside training."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "images.npy"
        simulate(path, n)
        started = time.process_time()
        detector = entropix.fit(path, epochs=1, device="cpu", progress=False)
        seconds = time.process_time() - started - 1e-3 * nested * detector.settings_["n_train"]
    print(f"rest of a fit of {n}: {seconds:.0f} s", file=sys.stderr)
    return {"n": n, "cpu_seconds": round(seconds, 1), "cpu_ms_per_image": round(1e3 * seconds / n, 2)}


def entropy(n: int, d: int) -> dict[str, float]:
    """`entropix.entropy` of n rows, both by neighbours alone and as it chooses."""
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
    kinds = {m: fastest(lambda m=m: entropix.entropy(x, method=m)) for m in ("kl", "auto")}
    print(f"entropy of {n} x {d}: {kinds}", file=sys.stderr)
    return {"n": n, "d": d} | {f"{name}_cpu_seconds": round(seconds, 6) for name, seconds in kinds.items()}


def processes(n: int) -> dict[str, float]:
    """Processor milliseconds per image of a training divided among n processes, added up."""
    command = [sys.executable, __file__, "--processes", str(n)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return {"processes": n, "cpu_ms_per_image": round(sum(float(line) for line in done.stdout.split()), 3)}


def divided(n: int) -> None:
    """One of n processes: prints its processor milliseconds per image of the whole training."""
    fabric = parallel.launch("cpu", n) if n > 1 else None
    with parallel.divided(fabric):
        print(step(64, None), flush=True)


def million(nested: float) -> dict[str, float]:
    """Processor hours of training in the default fit of a million images of 64 x 64, computed from a step."""
    n_train = MILLION - int(min(HELD_OUT * MILLION, MOST_HELD_OUT))
    epochs = default_epochs(n_train)
    hours = 1e-3 * nested * epochs * n_train / 3600
    return {"n_train": n_train, "epochs": epochs, "training_hours": round(hours, 1)}


def fastest(run: Callable[[], Any]) -> float:
    """Processor seconds of the fastest of some turns, after one that warms up."""
    times = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(TURNS + 1):
            started = time.process_time()
            run()
            times.append(time.process_time() - started)
    return min(times[1:])


if __name__ == "__main__":
    main()
