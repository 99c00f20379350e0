"""Whether the intervals of the estimators hold the truth, or a warning says that they may not.

    python benchmarks/intervals.py --draws 60           # an hour on one core; may be stopped and run again
    python benchmarks/intervals.py                      # to 200 draws; those that are there are not drawn again
    python benchmarks/intervals.py --table              # print what the results hold

Cells: information on twenty tasks of "Beyond normal" (Czyz et al. 2023), divergence on twelve pairs, entropy on all
families in 1, 4 and 16 dimensions, and rows in groups. A cell is *silently wrong* if its nominal 95 % interval holds
the truth in fewer than 88 % of the draws and fewer than 90 % of the draws have a warning. Draws are seeded by cell and
number. Where nine in ten of the first 24 warn, there are no more; a cell that is near the limit gets 200. Each cell has
a file of its own, a line for each draw, in a folder of --out that is named after a fingerprint of the estimators' code;
--join writes one file of that folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from estimators import environment, source

from entropix import estimators

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from truths import FULL_DIMENSION
from truths_information import DIVERGENCES, TASKS

FIRST, MOST, NEAR = 24, 200, 0.92  # draws of a cell that warns, and of one whose coverage is near the limit
RESULTS = Path(__file__).parent / "results" / "intervals.json"
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


def measure(path: Path, key: str, draw: Draw, draws: int) -> None:
    """Draws are added to those in the file until there are as many as asked for."""
    done = len(path.read_text().splitlines()) if path.exists() else 0
    with path.open("a") as file:
        for number in range(done, draws):
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result, truth = draw(np.random.default_rng((zlib.crc32(key.encode()), number)))
            row = {
                "truth": truth,
                "error": float(result) - truth,
                "stderr": result.stderr,
                "held": bool(result.ci[0] <= truth <= result.ci[1]),
                "warnings": list(result.warnings),
                "method": result.method,
                "cpu_seconds": time.process_time() - start,
            }
            file.write(json.dumps(row) + "\n")
            file.flush()


def summary(path: Path, most: int | None = None) -> dict[str, Any]:
    """What the draws in a file say, or the first of them."""
    rows = [json.loads(line) for line in path.read_text().splitlines()[:most]]
    column = {name: np.array([row[name] for row in rows]) for name in ("error", "stderr", "held", "cpu_seconds")}
    warned = np.mean([bool(row["warnings"]) for row in rows])
    return {
        "draws": len(rows),
        "truth": round(rows[0]["truth"], 4),
        "bias": round(float(column["error"].mean()), 4),
        "mae": round(float(np.abs(column["error"]).mean()), 4),
        "sd": round(float(column["error"].std()), 4),
        "stderr": round(float(np.median(column["stderr"])), 4),
        "coverage": round(float(column["held"].mean()), 4),
        "warned": round(float(warned), 4),
        "silently_wrong": bool(column["held"].mean() < 0.88 and warned < 0.9),
        "cpu_seconds": round(float(column["cpu_seconds"].mean()), 3),
        "method": Counter(row["method"] for row in rows).most_common(1)[0][0],
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
    parser.add_argument("--draws", type=int, default=MOST)
    parser.add_argument("--only", default="", help="cells whose name contains this")
    parser.add_argument("--out", type=Path, default=RESULTS.with_suffix(".parts"), help="folder of the draws")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--join", action="store_true", help=f"write what is there to {RESULTS.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.out / source()
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for key, draw in cells().items():
        path = folder / (key.replace("/", "_").replace(" ", "-") + ".jsonl")
        if options.only in key and not (options.table or options.join):
            measure(path, key, draw, min(FIRST, options.draws))
            if summary(path, FIRST)["warned"] < 0.9:
                measure(path, key, draw, options.draws)
                if summary(path, options.draws)["coverage"] <= NEAR:
                    measure(path, key, draw, MOST)
            print(key, summary(path), file=sys.stderr, flush=True)
        if path.exists():
            results[key] = summary(path)
    if options.join:
        document = {"environment": environment(threads=1), "cells": results}
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    show({key: cell for key, cell in results.items() if options.only in key})


if __name__ == "__main__":
    main()
