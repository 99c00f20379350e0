"""Small calls of every CUDA kernel and variant, for compute-sanitizer; results are compared with the CPU's.

python benchmarks/sanitize_cuda.py              # all of it
python benchmarks/sanitize_cuda.py --list       # the names of the cases, one kernel each
python benchmarks/sanitize_cuda.py --case knn   # one of them at few sizes, for a tool that slows it a lot
"""

import argparse
import itertools
from concurrent.futures import ThreadPoolExecutor

import torch

from entropix.ops import count_within, knn, prefix_knn, reconstruction_error

SIZES = ((5, 1, 4), (33, 5, 32), (300, 3, 5), (600, 33, 20), (70, 300, 40), (4200, 8, 3))  # n, d, k
FEW_SIZES = ((33, 5, 32), (150, 33, 3), (40, 300, 36))  # short and long lists, one chunk of coordinates and more
SHAPES = ((3, 17), (4, 64, 64), (2, 40_000))
FEW_SHAPES = ((3, 17), (2, 9_000))
METRICS = ("euclidean", "chebyshev")


def points(few: bool) -> list[tuple[torch.Tensor, int]]:
    sizes = FEW_SIZES if few else SIZES
    dtypes = (torch.float32, torch.float64)
    return [(torch.randn(n, d, dtype=dtype), k) for dtype, (n, d, k) in itertools.product(dtypes, sizes)]


def on_cuda(*tensors: torch.Tensor | None) -> list[torch.Tensor | None]:
    return [None if t is None else t.cuda() for t in tensors]


def check_knn(few: bool) -> None:
    for (x, k), metric in itertools.product(points(few), METRICS):
        for query in (None, x[:7] + 0.1):
            device_x, device_query = on_cuda(x, query)
            found = knn(device_x, k, device_query, metric)
            assert torch.equal(found.indices.cpu(), knn(x, k, query, metric).indices), (*x.shape, k, metric)


def check_count_within(few: bool) -> None:
    for (x, k), metric in itertools.product(points(few), METRICS):
        for query in (None, x[:7] + 0.1):
            radii = knn(x, k, query, metric).distances[:, -1].contiguous()
            found = count_within(*on_cuda(x, radii, query), metric)
            assert torch.equal(found.cpu(), count_within(x, radii, query, metric)), (*x.shape, k, metric)


def check_prefix_knn(few: bool) -> None:
    for x, k in points(few):
        for prefixes in (None, [x.shape[1]]):
            torch.testing.assert_close(prefix_knn(x.cuda(), k, prefixes).cpu(), prefix_knn(x, k, prefixes))
        prefix_knn(x.cuda(), k, mean_log=True)


def check_reconstruction_error(few: bool) -> None:
    dtypes = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    for dtype, shape in itertools.product(dtypes, FEW_SHAPES if few else SHAPES):
        x, x_hat = torch.randn(2, *shape).to(dtype)
        weight, mask = torch.rand(shape[1:]), torch.rand(shape) > 0.5
        for arguments in ((x, x_hat), (x, x_hat, weight, mask)):
            found = reconstruction_error(*on_cuda(*arguments), map=True)
            torch.testing.assert_close(tuple(t.cpu() for t in found), reconstruction_error(*arguments, map=True))


def check_threads(few: bool) -> None:
    """Two threads with other k, whose kernels need other amounts of shared memory; every device there is."""
    x = torch.randn(90 if few else 700, 5)
    for device in range(torch.cuda.device_count()):
        on_device = x.to(f"cuda:{device}")
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(knn, on_device, k) for k in (3, 32, 3, 32, 40, 12)]
        for call, k in zip(calls, (3, 32, 3, 32, 40, 12), strict=True):
            assert torch.equal(call.result().indices.cpu(), knn(x, k).indices), k


CASES = {
    "reconstruction_error": check_reconstruction_error,
    "count_within": check_count_within,
    "knn": check_knn,
    "prefix_knn": check_prefix_knn,
    "threads": check_threads,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print(*CASES, sep="\n")
        return
    for name in [options.case] if options.case else CASES:
        torch.manual_seed(0)
        CASES[name](few=options.case is not None)
        torch.cuda.synchronize()
        print(f"{name}: ok", flush=True)


if __name__ == "__main__":
    main()
