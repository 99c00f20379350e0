"""k-NN on the CPU beside SciPy, scikit-learn, oneDAL, faiss, pykdtree, pynanoflann and PyTorch; writes knn_cpu.json.

    pip install faiss-cpu scikit-learn-intelex pykdtree pynanoflann        # optional, for the benchmark only
    OMP_NUM_THREADS=1 python benchmarks/knn.py [--turns 3]

float32, self excluded, one thread, processor time of one call with building of any index. Methods take turns, and the
median of the turns counts, so that other load on the machine hits all alike. Normals of many n, d and k, and data with
structure: a 3-D manifold among 64 coordinates, clusters, sorted rows, an integer grid, 50-fold duplicates. A rival that
needed over eight times the best time is not tried at a larger n of the same kind, and not twice at the same. A killed
run continues where it was.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rivals.neighbours import Search, rivals, versions

from entropix._native import native_info
from entropix.ops import knn, prefix_knn

DIMENSIONS = (1, 2, 3, 4, 8, 16, 32, 64, 128, 256)
SIZES = (1_000, 5_000, 20_000)
KS = (1, 5, 30)
MANY = 100_000  # up to 16 dimensions, k = 5, one turn
TOO_SLOW = 8
LEAST_TIME = 0.02  # seconds
PRODUCTS_FROM = 8  # kLeastDim of csrc/knn/products.cpp
LANES = {"avx512": 16, "avx2": 8, "portable": 4}


def normals(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((n, d))


def manifold(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Three factors, bent, in d coordinates, with little noise."""
    bent = np.sin(rng.standard_normal((n, 3)) @ rng.standard_normal((3, d)))
    return bent + 0.01 * rng.standard_normal((n, d))


def clusters(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    return 10 * rng.standard_normal((20, d))[rng.integers(20, size=n)] + rng.standard_normal((n, d))


def sorted_rows(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal((n, d))
    return x[x[:, 0].argsort()]


def grid(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(round(n ** (1 / d)), size=(n, d))


def duplicates(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.repeat(rng.standard_normal((n // 50, d)), 50, axis=0))


STRUCTURED: dict[Callable[[int, int, np.random.Generator], np.ndarray], tuple[int, ...]] = {
    manifold: (64,),
    clusters: (8, 32),
    sorted_rows: (3, 16),
    grid: (3,),
    duplicates: (8, 32),
}


def cells() -> list[dict[str, Any]]:
    """Every case, those of small n first."""
    found = [{"data": normals, "n": n, "d": d, "k": k} for n in SIZES for d in DIMENSIONS for k in KS]
    found += [{"data": kind, "n": n, "d": d, "k": 5} for n in SIZES[1:] for kind, ds in STRUCTURED.items() for d in ds]
    return found + [{"data": normals, "n": MANY, "d": d, "k": 5} for d in DIMENSIONS if d <= 16]


def title(cell: dict[str, Any]) -> str:
    name: str = cell["data"].__name__
    return name.replace("_", " ")


def seconds(function: Callable[[], object]) -> float:
    """Processor time of one call; short ones are repeated."""
    start, calls = time.process_time(), 0
    while calls == 0 or time.process_time() - start < LEAST_TIME:
        function()
        calls += 1
    return (time.process_time() - start) / calls


def floor(n: int, d: int) -> float:
    """Seconds for a vector instruction per pair and coordinate, two without inner products, two of them a cycle."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    clock = max(float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")) * 1e6
    return (1 if d >= PRODUCTS_FROM else 2) * n * n * d / LANES[native_info()["simd"]] / (2 * clock)


def measure(cell: dict[str, Any], turns: int, methods: dict[str, Search]) -> dict[str, Any]:
    n, d, k = cell["n"], cell["d"], cell["k"]
    x = cell["data"](n, d, np.random.default_rng(0)).astype(np.float32)
    everyone: dict[str, Search] = {"entropix": lambda x, k: knn(torch.from_numpy(x), k), **methods}
    times: dict[str, list[float]] = {name: [] for name in everyone}
    for turn in range(turns):
        best = min((min(t) for t in times.values() if t), default=0.0)
        for name, method in everyone.items():
            if turn == 0 or times[name][0] < TOO_SLOW * best:
                times[name].append(seconds(lambda method=method: method(x, k)))
    medians = {name: statistics.median(t) for name, t in times.items()}
    rival = min(methods, key=medians.__getitem__)
    return {
        "data": title(cell),
        "n": n,
        "d": d,
        "k": k,
        "cpu_seconds": {name: round(value, 5) for name, value in medians.items()},
        "best_rival": rival,
        "ratio": round(medians[rival] / medians["entropix"], 3),
        "floor_without_pruning": round(floor(n, d), 5),
    }


def measure_all(parts: Path, turns: int) -> list[dict[str, Any]]:
    """Every cell, read from `parts` (JSON lines) if it is there."""
    rows = [json.loads(line) for line in parts.read_text().splitlines()] if parts.exists() else []
    for method in rivals(3).values():
        method(np.random.default_rng(0).random((100, 3), np.float32), 1)  # loads what it has to
    knn(torch.zeros(100, 3), 1)
    for cell in cells()[len(rows) :]:
        kind = (title(cell), cell["d"], cell["k"])
        same = [row for row in rows if (row["data"], row["d"], row["k"]) == kind]  # of smaller n
        known = same[-1]["cpu_seconds"] if same else {}
        methods = {
            name: method
            for name, method in rivals(cell["d"]).items()
            if not known or name == same[-1]["best_rival"] or known.get(name, np.inf) < TOO_SLOW * min(known.values())
        }
        row = measure(cell, turns if cell["n"] < MANY else 1, methods)
        rows.append(row)
        with parts.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print({name: row[name] for name in ("data", "n", "d", "k", "best_rival", "ratio")}, file=sys.stderr, flush=True)
    return rows


def measure_prefixes(rows: list[dict[str, Any]], n: int, d: int, turns: int) -> dict[str, Any]:
    """prefix_knn beside the best rival run once per prefix, whose time is interpolated between measured ones."""
    x = torch.from_numpy(normals(n, d, np.random.default_rng(0)).astype(np.float32))
    ours = statistics.median(seconds(lambda: prefix_knn(x, 5, mean_log=True)) for _ in range(turns))
    points = [
        (r["d"], r["cpu_seconds"][r["best_rival"]]) for r in rows if (r["data"], r["n"], r["k"]) == ("normals", n, 5)
    ]
    known, times = map(list, zip(*points, strict=True))
    rival = float(np.interp(range(1, d + 1), known, times).sum())
    return {
        "n": n,
        "D": d,
        "entropix": round(ours, 4),
        "best_rivals_once_per_prefix": round(rival, 2),
        "ratio": round(rival / ours, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "knn_cpu.json")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error(
            "OMP_NUM_THREADS is not 1; run it as OMP_NUM_THREADS=1 python benchmarks/knn.py, as some rivals ask for it"
        )
    torch.set_num_threads(1)
    rows = measure_all(options.out.with_suffix(".parts"), options.turns)
    cpu = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    ratios = np.array([row["ratio"] for row in rows])
    result = {
        "command": f"OMP_NUM_THREADS=1 python benchmarks/knn.py --turns {options.turns}",
        "device": f"{cpu.split(':')[1].strip()}, 1 thread, {native_info()['simd']}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__, **versions()},
        "load_average": round(os.getloadavg()[0], 1),
        "knn": rows,
        "ratio_geometric_mean": round(float(np.exp(np.log(ratios).mean())), 2),
        "ratio_least": float(ratios.min()),
        "below_95": int((ratios < 0.95).sum()),
        "prefix_knn": measure_prefixes(rows, SIZES[-1], 128, options.turns),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "knn"}, indent=1))


if __name__ == "__main__":
    main()
