"""Memory and time of a fit from a thousand to a hundred thousand images; writes results/scale.json.

    python benchmarks/scale.py [--sizes 1000 10000 100000] [--passes 6] [--out JSON]

Simulated heads of 64 x 64 pixels in a `.npy` file of bytes. Every fit makes 250,000 / n passes over the training images
of its n, six at the least (the default divides by the training images alone and makes 25 at the least, which take an
hour of a hundred thousand images and make the rest, reading, search for copies, choice of d, calibration, a smaller
share). Each runs in a process of its own.
Reported are seconds and processor seconds by image shown, the largest memory that the process held, mapped files
included, and images scored per second, by the clock and by the processor seconds of one core, reading not counted.
A killed run continues where it was.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from runs import environment, once, timed

import entropix
from entropix.detector._circumstances import PRESENTATIONS

CHUNK = 1000
SCORED = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--passes", type=int, default=6, help="at least")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/scale.json"))
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_fit(options.one, options.passes)))
        return
    parts = options.out.with_suffix(".parts")
    rows = [once(parts / f"{n}-{options.passes}.json", partial(in_process, n, options.passes)) for n in options.sizes]
    options.out.write_text(json.dumps(environment() | {"fits": rows}, indent=1) + "\n")


def in_process(n: int, passes: int) -> dict[str, Any]:
    """`one_fit` of n images in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        simulate(path, n)
        command = [sys.executable, __file__, "--one", str(path), "--passes", str(passes)]
        result: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(json.dumps(result), file=sys.stderr)
    return result


def simulate(path: Path, n: int) -> None:
    """n simulated heads as bytes (n, 64, 64), a thousand at a time."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (n, 64, 64))
    for i, start in enumerate(range(0, n, CHUNK)):
        count = min(CHUNK, n - start)
        images[start : start + count] = (255 * entropix.datasets.phantoms(count, 8, seed=i).images[:, 0]).round()
    images.flush()


def one_fit(path: Path, passes: int) -> dict[str, Any]:
    n = len(np.load(path, mmap_mode="r"))
    epochs = max(passes, round(PRESENTATIONS / n))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector, cost = timed(lambda: entropix.fit(path, epochs=epochs, progress=False))
    shown = epochs * detector.settings_["n_train"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    images = detector.read(np.load(path, mmap_mode="r")[:SCORED])
    detector.anomaly_score(images)  # the first time loads what is needed
    scoring = [timed(lambda: detector.anomaly_score(images))[1] for _ in range(3)]
    rates = {name: round(len(images) / min(cost[name] for cost in scoring)) for name in ("seconds", "cpu_seconds")}
    return {
        "n": n,
        "epochs": epochs,
        "latent_dim": detector.latent_dim_,
        "peak_gib": round(peak, 2),
        "scored_per_second": rates["seconds"],
        "scored_per_cpu_second": rates["cpu_seconds"],
        "ms_per_image": round(1e3 * cost["seconds"] / shown, 3),
        "cpu_ms_per_image": round(1e3 * cost["cpu_seconds"] / shown, 3),
    } | {name: round(value, 1) for name, value in cost.items()}


if __name__ == "__main__":
    main()
