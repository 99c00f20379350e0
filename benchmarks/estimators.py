"""Error and time of the estimators on data whose answer is known, beside other libraries (`intervals.py`: coverage).

    python benchmarks/estimators.py --quick          # minutes: every part, small
    python benchmarks/estimators.py                  # hours on two cores; may be stopped and run again
    python benchmarks/estimators.py --table          # print what results/estimators.json holds

infomeasure, ennemi and scikit-dimension are used where they can be imported (pip install them for this only), for
n <= 2,000 and 3 to 5 draws; n = 10,000 in 32 and 64 dimensions has 3 draws. Each cell is written when it is done and
skipped on the next run, which must be of the same estimators. Parts may be run at the same time into files of their
own, which `--merge` joins. Draws are seeded by family, d, n and number, so that all estimators see the same samples.
Time is taken on one thread, as the other libraries use no more, in turns, so that other work slows all alike.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import entropix
from entropix import estimators

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from truths import FAMILIES, FULL_DIMENSION, MANIFOLDS, Array, curved_manifold, linear_manifold, normal

RESULTS = Path(__file__).parent / "results" / "estimators.json"
DIMENSIONS = (1, 2, 4, 8, 16, 32, 64)
SAMPLES = (2_000, 500, 10_000)


def rivals() -> dict[str, Callable[[Array], float]]:
    """Plain nearest-neighbour entropy of other libraries, at their defaults, where they are installed."""
    found: dict[str, Callable[[Array], float]] = {}
    try:
        import infomeasure

        found["infomeasure"] = lambda x: float(infomeasure.entropy(x, approach="metric"))
    except ImportError:
        pass
    try:
        import ennemi

        found["ennemi"] = lambda x: float(ennemi.estimate_entropy(x, multidim=True).item())
    except ImportError:
        pass
    return found


def draw(family: str, d: int, n: int, number: int) -> tuple[Array, float]:
    seed = (zlib.crc32(family.encode()), d, n, number)
    return FAMILIES[family](d, n, np.random.default_rng(seed))


def timed(function: Callable[[Array], Any], x: Array) -> tuple[Any, tuple[float, float]]:
    """The value, and wall and processor seconds; on a machine shared with other work only the second compares."""
    start = time.perf_counter(), time.process_time()
    value = function(x)
    return value, (time.perf_counter() - start[0], time.process_time() - start[1])


def summary(
    values: list[float], truth: list[float], seconds: list[tuple[float, float]], covered: list[bool]
) -> dict[str, Any]:
    error = np.array(values) - np.array(truth)
    cell: dict[str, Any] = {
        "draws": len(error),
        "bias": round(float(error.mean()), 4),
        "mae": round(float(np.abs(error).mean()), 4),
        "sd": round(float(error.std()), 4),
        "seconds": round(float(np.median([wall for wall, _ in seconds])), 4),
        "cpu_seconds": round(float(np.median([cpu for _, cpu in seconds])), 4),
    }
    return cell | ({"coverage": round(float(np.mean(covered)), 4)} if covered else {})


def entropy_cell(name: str, family: str, d: int, n: int, draws: int) -> dict[str, Any]:
    values, truths, seconds, covered = [], [], [], []
    rival = rivals().get(name)
    for number in range(draws):
        x, truth = draw(family, d, n, number)
        if rival is not None:
            value, took = timed(rival, x)
        else:
            method = "manifold" if name == "kl" and family in MANIFOLDS else name
            result, took = timed(lambda rows, m=method: estimators.entropy(rows, method=m), x)
            value = result.value
            covered.append(result.ci[0] <= truth <= result.ci[1])
        values.append(value)
        truths.append(truth)
        seconds.append(took)
    return summary(values, truths, seconds, covered)


def time_cell(n: int, d: int, turns: int) -> dict[str, Any]:
    """Median wall and processor seconds of each estimator, all of them taken once in every turn."""
    functions: dict[str, Callable[[Array], Any]] = {
        f"entropix {method}": lambda x, m=method: estimators.entropy(x, method=m) for method in ("kl", "auto")
    } | rivals()
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for turn in range(turns + 1):
        x = draw("normal", d, n, turn)[0]
        for name, function in functions.items():
            seconds[name].append(timed(function, x)[1])
    cell: dict[str, Any] = {"turns": turns}
    for name, taken in seconds.items():
        wall, cpu = np.median(taken[1:], axis=0)  # the first turn loads what is needed
        cell[name] = {"seconds": round(float(wall), 4), "cpu_seconds": round(float(cpu), 4)}
    return cell


def dimension_cell(name: str, family: str, m: int, n: int, draws: int) -> dict[str, Any]:
    make = {"linear_manifold": linear_manifold, "curved_manifold": curved_manifold}[family]
    values, seconds = [], []
    for number in range(draws):
        x = make(m, n, np.random.default_rng((m, n, number)))[0]
        if name.startswith("skdim"):
            import skdim

            estimator = skdim.id.TwoNN() if name.endswith("twonn") else skdim.id.MLE()
            value, took = timed(lambda rows, e=estimator: float(e.fit_transform(rows)), x)
        else:
            result, took = timed(lambda rows: estimators.intrinsic_dimension(rows, name), x)
            value = result.value
        values.append(value)
        seconds.append(took)
    return summary(values, [float(m)] * draws, seconds, [])


def information_cell(name: str, p: int, rho: float, n: int, draws: int) -> dict[str, Any]:
    truth = -p / 2 * np.log(1 - rho**2)
    values, seconds, covered = [], [], []
    for number in range(draws):
        rng = np.random.default_rng((p, int(100 * rho), n, number))
        x = normal(p, n, rng)[0]
        y = rho * x + (1 - rho**2) ** 0.5 * normal(p, n, rng)[0]
        both = np.c_[x, y]
        result, took = timed(lambda rows: estimators.mutual_information(rows[:, :p], rows[:, p:], method=name), both)
        values.append(result.value)
        seconds.append(took)
        covered.append(result.ci[0] <= truth <= result.ci[1])
    return summary(values, [truth] * draws, seconds, covered)


def cells(options: argparse.Namespace) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """(key, work) of everything asked for, the cheapest and most asked-for numbers first."""
    todo: list[tuple[str, Callable[[], dict[str, Any]]]] = []

    def add(part: str, parameters: tuple[Any, ...], work: Callable[..., dict[str, Any]]) -> None:
        if part in options.parts:
            todo.append(("/".join(map(str, (part, *parameters))), lambda: work(*parameters)))

    add("time", (2_000 if options.quick else 20_000, 16, 2 if options.quick else 5), time_cell)
    draws = options.draws
    skdim = ("skdim-twonn", "skdim-mle") if importlib.util.find_spec("skdim") else ()
    for name in ("twonn", "mle", *skdim):
        for family in MANIFOLDS:
            for m in (2, 4, 8, 16, 32):
                add("dimension", (name, family, m, 2_000, min(draws, 5) if name in skdim else draws), dimension_cell)
    for name in ("auto", "ksg1"):
        for p, rho in ((1, 0.0), (1, 0.5), (1, 0.9), (4, 0.0), (4, 0.5), (4, 0.9)):
            add("information", (name, p, rho, 2_000, draws), information_cell)
    for n in options.samples:
        for family in options.families:
            for d in options.dimensions:
                if family == "curved_manifold" and d == 64:
                    continue
                for name in ("auto", "kl"):
                    few = n > 2_000 and d > 16
                    add("entropy", (name, family, d, n, min(draws, 3) if few else draws), entropy_cell)
    for name in rivals():
        for family in options.families:
            for d in options.dimensions:
                if family in FULL_DIMENSION:
                    add("rivals", (name, family, d, 2_000, min(draws, 3)), entropy_cell)
    return todo


def environment(threads: int) -> dict[str, Any]:
    packages = ("numpy", "scipy", "torch", "infomeasure", "ennemi", "scikit-dimension")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    arguments = list(sys.argv)
    if "--out" in arguments:  # where it was written says nothing
        place = arguments.index("--out")
        del arguments[place : place + 2]
    return {
        "entropix": entropix.__version__,
        "versions": versions,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared with other work",
        "threads": threads,
        "estimators": source(),
        "command": "python " + " ".join(arguments),
    }


def source() -> str:
    """A fingerprint of the estimators' code, whatever its comments and docstrings say."""
    digest = hashlib.sha256()
    for path in sorted(Path(estimators.__file__).parent.glob("*.py")):
        code = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(code):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [line for line in body if not _is_text(line)]
        digest.update(ast.dump(code).encode())
    return digest.hexdigest()[:12]


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def load(path: Path) -> dict[str, Any]:
    """What an earlier run left."""
    if not path.exists():
        return {"environment": {"estimators": source()}, "cells": {}}
    results: dict[str, Any] = json.loads(path.read_text())
    return results


def merge(paths: list[Path], out: Path) -> None:
    """Join files of parts into one."""
    parts = [json.loads(path.read_text()) for path in paths]
    found = {part["environment"]["estimators"] for part in parts}
    if len(found) > 1:
        raise SystemExit(f"{', '.join(map(str, paths))} are of different estimators ({', '.join(sorted(found))})")
    cells = {key: cell for part in parts for key, cell in part["cells"].items()}
    write(
        out,
        {
            "environment": parts[0]["environment"] | {"command": "python benchmarks/estimators.py"},
            "cells": cells,
        },
    )


def write(path: Path, results: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def show(results: dict[str, Any]) -> None:
    for key, cell in results["cells"].items():
        numbers = "  ".join(f"{name} {value}" for name, value in cell.items())
        print(f"{key:58s} {numbers}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 draws of n = 500 in a few dimensions")
    parser.add_argument("--table", action="store_true", help="only print the stored results")
    parts = ("dimension", "information", "entropy", "rivals", "time")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=tuple(FAMILIES))
    parser.add_argument("--dimensions", nargs="+", type=int, default=DIMENSIONS)
    parser.add_argument("--samples", nargs="+", type=int, default=SAMPLES)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--merge", nargs="+", type=Path, metavar="FILE", help="only join these files into --out")
    options = parser.parse_args()
    if options.quick:
        options.draws = 2
        options.samples, options.dimensions = (500,), (2, 16)
        options.out = options.out.with_name("estimators-quick.json")
    if options.merge:
        merge(options.merge, options.out)
    results = load(options.out)
    if not (options.table or options.merge):
        if results["environment"].get("estimators") != source():
            raise SystemExit(f"{options.out} is of other estimators than these: move it away, or give --out")
        torch.set_num_threads(options.threads)
        results["environment"] = environment(options.threads)
        for key, work in cells(options):
            if key in results["cells"]:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # manifold notes and other libraries' deprecations
                results["cells"][key] = work()
            write(options.out, results)
            print(key, results["cells"][key], file=sys.stderr, flush=True)
    show(results)


if __name__ == "__main__":
    main()
