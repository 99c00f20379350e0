"""Whether the intervals of the estimators hold the truth, or a warning says that they may not.

    python benchmarks/coverage.py --draws 40           # less than an hour on one core; may be stopped and run again
    python benchmarks/coverage.py                      # 200 draws
    python benchmarks/coverage.py --table              # print what the results hold

Cells: information on twenty tasks of "Beyond normal" (Czyz et al. 2023), divergence on five pairs, entropy on all
families in 1, 4 and 16 dimensions, and rows in groups. A cell is *silently wrong* if its nominal 95 % interval holds
the truth in fewer than 88 % of the draws and fewer than 90 % of the draws have a warning. Draws are seeded by cell and
number. Each cell is a JSON file of its own in --out, and is not computed again; --join writes one file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from entropix import estimators

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from truths import FULL_DIMENSION
from truths_information import DIVERGENCES, TASKS

RESULTS = Path(__file__).parent / "results" / "coverage.json"
Draw = Callable[[np.random.Generator], tuple[estimators.Estimate, float]]


def information(rng: np.random.Generator, task: str, n: int) -> tuple[estimators.Estimate, float]:
    x, y, truth = TASKS[task](n, rng)
    return estimators.mutual_information(x, y), truth


def divergence(rng: np.random.Generator, pair: str, n: int) -> tuple[estimators.Estimate, float]:
    x, y, truth = DIVERGENCES[pair](n, rng)
    return estimators.kl_divergence(x, y), truth


def entropy(rng: np.random.Generator, family: str, d: int, n: int) -> tuple[estimators.Estimate, float]:
    x, truth = FULL_DIMENSION[family](d, n, rng)
    return estimators.entropy(x), truth


def grouped(rng: np.random.Generator, what: str, known: bool) -> tuple[estimators.Estimate, float]:
    """20 patients with 50 slices each; half of the variance is between patients."""
    patient = np.repeat(np.arange(20), 50)
    groups = patient if known else None

    def columns(p: int) -> Any:
        return 0.5**0.5 * (rng.normal(size=(20, p))[patient] + rng.normal(size=(1000, p)))

    if what == "entropy":
        return estimators.entropy(columns(1), groups=groups), 0.5 * np.log(2 * np.pi * np.e)
    if what == "information":
        x = columns(1)
        return estimators.mutual_information(x, 0.6 * x + 0.8 * columns(1), groups=groups), -0.5 * np.log(1 - 0.36)
    if what == "divergence":
        x, y = columns(1), 1 + columns(1)
        return estimators.kl_divergence(x, y, groups=(patient, patient) if known else None), 0.5
    series = np.empty(1000)  # autoregression
    series[0] = rng.normal()
    for t in range(1, 1000):
        series[t] = 0.9 * series[t - 1] + (1 - 0.81) ** 0.5 * rng.normal()
    return estimators.entropy(series), 0.5 * np.log(2 * np.pi * np.e)


def cells() -> dict[str, Draw]:
    todo: dict[str, Draw] = {}
    for n in (1_000, 5_000):
        todo |= {f"information/{task}/{n}": partial(information, task=task, n=n) for task in TASKS}
    for n in (500, 2_000):
        todo |= {f"divergence/{pair}/{n}": partial(divergence, pair=pair, n=n) for pair in DIVERGENCES}
    for what in ("entropy", "information", "divergence"):
        for known in (True, False):
            todo[f"groups/{what}, {'known' if known else 'not given'}"] = partial(grouped, what=what, known=known)
    todo["groups/autoregression, not given"] = partial(grouped, what="series", known=False)
    for n in (500, 2_000):
        for d in (1, 4, 16):
            for family in FULL_DIMENSION:
                todo[f"entropy/{family}/{d}/{n}"] = partial(entropy, family=family, d=d, n=n)
    return todo


def measure(key: str, draw: Draw, draws: int) -> dict[str, Any]:
    start = time.process_time()
    error, stderr, held, warned = [], [], [], []
    for number in range(draws):
        result, truth = draw(np.random.default_rng((zlib.crc32(key.encode()), number)))
        error.append(float(result) - truth)
        stderr.append(result.stderr)
        held.append(result.ci[0] <= truth <= result.ci[1])
        warned.append(bool(result.warnings))
    return {
        "draws": draws,
        "truth": round(truth, 4),
        "bias": round(float(np.mean(error)), 4),
        "mae": round(float(np.abs(error).mean()), 4),
        "sd": round(float(np.std(error)), 4),
        "stderr": round(float(np.median(stderr)), 4),
        "coverage": round(float(np.mean(held)), 4),
        "warned": round(float(np.mean(warned)), 4),
        "silently_wrong": bool(np.mean(held) < 0.88 and np.mean(warned) < 0.9),
        "cpu_seconds": round((time.process_time() - start) / draws, 3),
        "method": result.method,
    }


def show(results: dict[str, Any]) -> None:
    for key, cell in results.items():
        print(
            f"{'!!' if cell['silently_wrong'] else '  '} {key:45s} "
            + "  ".join(
                f"{name} {cell[name]}"
                for name in ("bias", "sd", "stderr", "coverage", "warned", "cpu_seconds", "method")
            )
        )
    wrong = [key for key, cell in results.items() if cell["silently_wrong"]]
    print(f"{len(wrong)} of {len(results)} cells are silently wrong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--only", default="", help="cells whose name contains this")
    parser.add_argument("--out", type=Path, default=RESULTS.with_suffix(""), help="folder, a file for each cell")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--join", action="store_true", help=f"write what is there to {RESULTS.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for key, draw in cells().items():
        path = options.out / (key.replace("/", "_").replace(" ", "-") + ".json")
        if path.exists():
            results[key] = json.loads(path.read_text())
        elif options.only in key and not (options.table or options.join):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results[key] = measure(key, draw, options.draws)
            path.write_text(json.dumps(results[key]))
            print(key, results[key], file=sys.stderr, flush=True)
    if options.join:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    show({key: cell for key, cell in results.items() if options.only in key})


if __name__ == "__main__":
    main()
