"""k-NN on the CPU beside SciPy, scikit-learn, oneDAL, faiss and torch.cdist; writes results/knn_cpu.json.

    pip install faiss-cpu scikit-learn-intelex        # optional, for the benchmark only
    python benchmarks/knn.py [--sizes 5000 20000] [--turns 3]

Standard normals, float32, k = 5, self excluded, times of one call with building of any index, two threads. Methods
take turns, and the median of the turns counts, so that other load hits all alike; processor time over the number of
threads is given too, as other load disturbs it least. A tree that needed over ten times the best time at one
dimension is not tried at higher ones of the same n, and no rival beyond a minute.
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from entropix._native import native_info
from entropix.ops import knn, prefix_knn

K = 5
THREADS = 2
IN_TURNS = 20_000  # rows; of more, one turn
TREES = {"scipy cKDTree", "sklearn kd_tree"}  # slower the higher the dimension
PRODUCTS_FROM = 8  # kLeastDim of csrc/knn/products.cpp
LANES = {"avx512": 16, "avx2": 8, "portable": 4}


def rivals() -> dict[str, Callable[[np.ndarray], object]]:
    """Name to a function that finds the k nearest of every row, itself among them where the method does so."""
    from scipy.spatial import cKDTree
    from sklearn.neighbors import NearestNeighbors

    def cdist(x: np.ndarray) -> None:
        points = torch.from_numpy(x)
        for part in points.split(2048):
            torch.cdist(part, points).topk(K + 1, largest=False)

    def sklearn(algorithm: str) -> Callable[[np.ndarray], object]:
        return lambda x: NearestNeighbors(n_neighbors=K, algorithm=algorithm, n_jobs=-1).fit(x).kneighbors()

    found: dict[str, Callable[[np.ndarray], object]] = {
        "scipy cKDTree": lambda x: cKDTree(x).query(x, K + 1, workers=-1),
        "sklearn kd_tree": sklearn("kd_tree"),
        "sklearn brute": sklearn("brute"),
        "torch cdist+topk": cdist,
    }
    with contextlib.suppress(ImportError):
        from sklearnex.neighbors import NearestNeighbors as OneDal

        found["oneDAL brute"] = lambda x: OneDal(n_neighbors=K, algorithm="brute", n_jobs=-1).fit(x).kneighbors()
    with contextlib.suppress(ImportError):
        import faiss

        faiss.omp_set_num_threads(THREADS)

        def flat(x: np.ndarray) -> None:
            index = faiss.IndexFlatL2(x.shape[1])
            index.add(x)
            index.search(x, K + 1)

        found["faiss IndexFlatL2"] = flat
    return found


def seconds(function: Callable[[], object]) -> tuple[float, float]:
    """Elapsed time, and processor time of all threads over their number."""
    start, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, (time.process_time() - cpu) / THREADS


def floor(n: int, d: int, instructions: int) -> float:
    """Seconds for so many vector instructions per pair and coordinate, two a cycle and core."""
    return instructions * n * n * d / LANES[native_info()["simd"]] / (2 * THREADS * clock())


def clock() -> float:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return max(float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")) * 1e6


def measure(n: int, d: int, turns: int, methods: dict[str, Callable[[np.ndarray], object]]) -> dict:
    x = np.random.default_rng(0).standard_normal((n, d), dtype=np.float32)
    everyone = {"entropix": lambda x: knn(torch.from_numpy(x), K), **methods}
    times: dict[str, list[float]] = {name: [] for name in everyone}
    cpu_times: dict[str, list[float]] = {name: [] for name in everyone}
    knn(torch.from_numpy(x[:100]), K)  # loads the module
    for turn, (name, method) in itertools.product(range(turns), everyone.items()):
        slow = turn > 0 and (times[name][0] > 20 or times[name][0] > 4 * min(t[0] for t in times.values() if t))
        if name == "entropix" or not slow:
            elapsed, cpu = seconds(lambda m=method: m(x))
            times[name].append(elapsed)
            cpu_times[name].append(cpu)
    medians = {name: statistics.median(t) for name, t in times.items()}
    cpu_medians = {name: statistics.median(t) for name, t in cpu_times.items()}
    best = min(methods, key=medians.__getitem__)
    cpu_best = min(methods, key=cpu_medians.__getitem__)
    return {
        "n": n,
        "d": d,
        "seconds": {name: round(value, 5) for name, value in medians.items()},
        "cpu_seconds": {name: round(value, 5) for name, value in cpu_medians.items()},
        "turns": {name: len(t) for name, t in times.items()},
        "best_rival": best,
        "ratio": round(medians[best] / medians["entropix"], 3),
        "cpu_ratio": round(cpu_medians[cpu_best] / cpu_medians["entropix"], 3),
        # a multiply-add where inner products screen (csrc/knn/products.h), else a subtraction too
        "floor_without_pruning": round(floor(n, d, 1 if d >= PRODUCTS_FROM else 2), 5),
    }


def measure_all(sizes: list[int], dims: list[int], turns: int) -> list[dict]:
    rows = []
    for n in sizes:
        methods = rivals()
        for d in dims:
            before = [r for r in rows if r["d"] == d and r["n"] < n]
            limit = {k: v for r in before[-1:] for k, v in r["seconds"].items()}
            affordable = {
                name: f
                for name, f in methods.items()
                if n <= IN_TURNS or limit.get(name, 99) * (n / before[-1]["n"]) ** 2 < 60
            }
            if not affordable:
                continue
            row = measure(n, d, turns if n <= IN_TURNS else 1, affordable)  # a turn takes half a minute there
            rows.append(row)
            best = row["seconds"][row["best_rival"]]
            slow_trees = {name for name in TREES if row["seconds"].get(name, 0) > 10 * best}
            methods = {name: f for name, f in methods.items() if name not in slow_trees}
            times = "  ".join(f"{name} {value:.4f}" for name, value in row["seconds"].items())
            bound = row["floor_without_pruning"]
            print(
                f"n {n} d {d}: {times}  ratio {row['ratio']} (cpu {row['cpu_ratio']})  floor {bound:.4f}",
                file=sys.stderr,
                flush=True,
            )
    return rows


def measure_prefixes(rows: list[dict], n: int, d: int) -> dict:
    """prefix_knn beside the best rival run once per prefix, whose time is interpolated between measured ones."""
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((n, d), dtype=np.float32))
    turns = [seconds(lambda: prefix_knn(x, K, mean_log=True)) for _ in range(3)]
    result: dict = {"n": n, "D": d, "floor_two_instructions": round(floor(n, d, 2), 4)}
    for kind, ours in zip(("seconds", "cpu_seconds"), map(statistics.median, zip(*turns, strict=True)), strict=True):
        points = [
            (r["d"], min(value for name, value in r[kind].items() if name != "entropix")) for r in rows if r["n"] == n
        ]
        rival = float(sum(np.interp(range(1, d + 1), *zip(*points, strict=True))))
        result[kind] = {"entropix": round(ours, 4), "best_rivals_once_per_prefix": round(rival, 2)}
        result[kind.replace("seconds", "ratio")] = round(rival / ours, 1)
    return result


def summary(rows: list[dict], name: str) -> dict[str, float]:
    """Geometric mean and least of best rival over ours."""
    ratios = [r[name] for r in rows]
    return {f"{name}_geometric_mean": round(float(np.exp(np.mean(np.log(ratios)))), 2), f"{name}_least": min(ratios)}


def versions() -> dict[str, str]:
    """Of the rivals' packages that are installed."""
    found = {}
    for name in ("scipy", "scikit-learn", "scikit-learn-intelex", "faiss-cpu"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 100_000], help="ascending n")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "knn_cpu.json")
    options = parser.parse_args()
    sizes = options.sizes
    if min(sizes) > IN_TURNS:
        parser.error(f"prefixes are measured at a size of {IN_TURNS} or less; give one beside --sizes {max(sizes)}")
    torch.set_num_threads(THREADS)
    load = os.getloadavg()[0]
    rows = measure_all(sizes, [1, 2, 4, 8, 16, 32, 64, 128, 256], options.turns)
    cpu = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    result = {
        "command": f"python benchmarks/knn.py --sizes {' '.join(map(str, sizes))} --turns {options.turns}",
        "load_average_before_and_after": [round(load, 1), round(os.getloadavg()[0], 1)],
        "device": f"{cpu.split(':')[1].strip()}, {THREADS} threads, {native_info()['simd']}",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            **versions(),
        },
        "k": K,
        "knn": rows,
        **summary(rows, "ratio"),
        **summary(rows, "cpu_ratio"),
        "prefix_knn": measure_prefixes(rows, max(n for n in sizes if n <= IN_TURNS), 128),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k == "prefix_knn" or "ratio" in k}, indent=1))


if __name__ == "__main__":
    main()
