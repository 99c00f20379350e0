"""Neighbours strictly within a radius: exact at the border, as mutual information needs it."""

import pytest
import torch
from helpers import DEVICES, DTYPES, METRICS
from torch import Tensor

from entropix.ops import count_within, knn


def by_definition(x: Tensor, radii: Tensor, query: Tensor | None, metric: str) -> Tensor:
    """Counts over all distances as knn returns them."""
    n = len(x) - (query is None)
    return (knn(x, n, query, metric).distances < radii[:, None]).sum(1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n", "d"), [(2, 1), (33, 2), (300, 1), (257, 3), (129, 40)])
def test_radii_that_are_distances(n: int, d: int, metric: str, dtype: torch.dtype, device: str) -> None:
    x, query = torch.randn(n, d, dtype=dtype), torch.randn(37, d, dtype=dtype)
    for q in (None, query):
        everything = knn(x, n - (q is None), q, metric).distances
        for rank in (0, everything.shape[1] // 3, -1):
            radii = everything[:, rank].contiguous()  # the neighbour at this distance must not count
            on_device = [t if t is None else t.to(device) for t in (x, radii, q)]
            assert torch.equal(count_within(*on_device, metric).cpu(), by_definition(x, radii, q, metric))


@pytest.mark.parametrize("metric", METRICS)
def test_every_instruction_set(level: str, metric: str) -> None:
    x = torch.randint(0, 9, (400, 2)).float()
    radii = torch.randint(0, 6, (400,)).float()
    assert torch.equal(count_within(x, radii, metric=metric), by_definition(x, radii, None, metric))


@pytest.mark.parametrize("device", DEVICES)
def test_special_radii(device: str) -> None:
    x = torch.randn(100, 2, device=device)
    for radius, expected in ((0.0, 0), (-1.0, 0), (torch.nan, 0), (torch.inf, 99), (1e30, 99), (1e-30, 0)):
        counts = count_within(x, torch.full((100,), radius, device=device))
        assert (counts == expected).all(), radius
    duplicates = torch.zeros(50, 3, device=device)
    assert (count_within(duplicates, torch.full((50,), 1e-30, device=device)) == 49).all()


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck_and_compile(device: str) -> None:
    x, radii = torch.randn(30, 2, device=device), torch.rand(30, device=device)
    torch.library.opcheck(torch.ops.entropix.count_within, (x, radii, None, "chebyshev"))
    torch.library.opcheck(torch.ops.entropix.count_within, (x, radii[:4], x[:4], "euclidean"))
    compiled = torch.compile(count_within, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, radii), count_within(x, radii))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, r: count_within(x, r[:2]), ValueError, r"shape \(5,\) on cpu, one per query point, got \(2,\)"),
        (lambda x, r: count_within(x, r.double()), TypeError, "dtype torch.float32, like x, got torch.float64"),
        (lambda x, r: count_within(x, 0.5), TypeError, "got float"),
        (lambda x, r: count_within(x, r, metric="l1"), ValueError, "got 'l1'"),
        (lambda x, r: count_within(x / 0, r), ValueError, "x holds NaN or inf"),
    ],
)
def test_errors(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(torch.ones(5, 3), torch.ones(5))
