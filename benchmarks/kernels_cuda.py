"""The CUDA kernels beside their floors and rivals; writes results/kernels_cuda.json. Run through benchmarks/gpu.sh.

A floor is what the hardware cannot beat: instructions counted from the algorithm over the FP32 rate (two lane
operations per pair and coordinate, a subtraction and a fused multiply-add), or bytes over the copy bandwidth
measured in the same run. Times are medians of CUDA events after warm-up.
"""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Callable
from pathlib import Path

import torch

from entropix.ops import count_within, knn, prefix_knn, reconstruction_error

K = 5


def milliseconds(function: Callable[[], object], repeats: int = 7) -> float:
    for _ in range(2):
        function()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        function()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def lane_operations_per_second() -> float:
    """FP32 lane operations a second at the clock that the driver names as highest."""
    properties = torch.cuda.get_device_properties(0)
    clock = properties.clock_rate * 1e3 if hasattr(properties, "clock_rate") else 1.98e9
    lanes = 64 if (properties.major, properties.minor) == (8, 0) else 128
    return properties.multi_processor_count * lanes * clock


def cdist_topk(x: torch.Tensor, chunk: int = 8192) -> None:
    for part in x.split(chunk):
        torch.cdist(part, x).topk(K + 1, largest=False)


def keops(x: torch.Tensor) -> Callable[[], object] | None:
    try:
        from pykeops.torch import LazyTensor
    except ImportError:
        return None
    rows, columns = LazyTensor(x[:, None]), LazyTensor(x[None])
    return lambda: ((rows - columns) ** 2).sum(-1).argKmin(K + 1, dim=1)


def neighbours(n: int, d: int) -> dict:
    x = torch.randn(n, d, device="cuda")
    times = {"entropix": milliseconds(lambda: knn(x, K)), "cdist+topk": milliseconds(lambda: cdist_topk(x), 3)}
    if rival := keops(x):
        times["keops argKmin"] = milliseconds(rival, 3)
    return {"n": n, "d": d, "ms": times, "floor_ms": 2e3 * n * n * d / lane_operations_per_second()}


def prefixes(n: int, d: int) -> dict:
    x = torch.randn(n, d, device="cuda")
    ours = milliseconds(lambda: prefix_knn(x, K, mean_log=True), 5)
    return {"n": n, "d": d, "ms": {"entropix": ours}, "floor_ms": 2e3 * n * n * d / lane_operations_per_second()}


def counts(n: int, d: int) -> dict:
    x, radii = torch.randn(n, d, device="cuda"), torch.full((n,), 0.3, device="cuda")
    ours = milliseconds(lambda: count_within(x, radii, metric="chebyshev"), 5)
    return {"n": n, "d": d, "ms": {"entropix": ours}, "floor_ms": 2e3 * n * n * d / lane_operations_per_second()}


def reconstruction(dtype: torch.dtype, with_map: bool) -> dict:
    shape = (16384, 1, 128, 128)
    x, x_hat = (torch.randn(shape, device="cuda").to(dtype) for _ in range(2))
    moved = 2 * x.nbytes + (4 * x.numel() if with_map else 0)
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    bandwidth = 2 * source.nbytes / milliseconds(lambda: target.copy_(source))  # bytes per ms, read and written

    def eager() -> object:
        energy = (x.float() - x_hat.float()).square()
        return energy.flatten(1).mean(1), energy if with_map else None

    times = {
        "entropix": milliseconds(lambda: reconstruction_error(x, x_hat, map=with_map)),
        "eager": milliseconds(eager),
    }
    share = moved / times["entropix"] / bandwidth
    return {
        "shape": shape,
        "dtype": str(dtype),
        "map": with_map,
        "ms": times,
        "floor_ms": moved / bandwidth,
        "share_of_copy_bandwidth": share,
        "copy_GB_per_s": bandwidth / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "kernels_cuda.json")
    options = parser.parse_args()
    result = {
        "command": "benchmarks/gpu.sh",
        "commit": os.environ.get("ENTROPIX_COMMIT", ""),
        "device": torch.cuda.get_device_name(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "cuda": torch.version.cuda},
        "k": K,
        "fp32_lane_operations_per_s": lane_operations_per_second(),
    }
    points = [(1_000, 8), (20_000, 2), (20_000, 32), (100_000, 8), (100_000, 32), (100_000, 128)]
    result["knn"] = [neighbours(n, d) for n, d in points]
    result["prefix_knn"] = [prefixes(n, d) for n, d in ((1_000, 128), (20_000, 128), (100_000, 128))]
    result["count_within"] = [counts(1_000, 1), counts(100_000, 1), counts(100_000, 16)]
    result["reconstruction_error"] = [
        reconstruction(dtype, m) for dtype in (torch.float32, torch.bfloat16, torch.float16) for m in (False, True)
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    for name in ("knn", "prefix_knn", "count_within", "reconstruction_error"):
        for row in result[name]:
            over = row["ms"]["entropix"] / row["floor_ms"]
            size = {k: v for k, v in row.items() if k in ("n", "d", "dtype", "map")}
            times = ", ".join(f"{k} {v:.3f} ms" for k, v in row["ms"].items())
            print(f"{name} {size}: {times}; floor {row['floor_ms']:.3f} ms, {over:.2f} of it")


if __name__ == "__main__":
    main()
