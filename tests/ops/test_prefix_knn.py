"""Neighbour distances of all prefixes in one pass, against one search per prefix."""

import pytest
import torch
from helpers import DEVICES, DTYPES, TOLERANCE, threads
from torch import Tensor

from entropix.ops import knn, prefix_knn

SIZES = [(2, 1, 1), (33, 5, 32), (64, 8, 3), (65, 9, 1), (130, 33, 5), (300, 64, 24), (300, 65, 25), (70, 130, 9)]


def one_by_one(x: Tensor, k: int, prefixes: list[int] | None = None) -> Tensor:
    """k-th neighbour distances (prefixes, n) in float64."""
    squares = (x.double()[:, None] - x.double()).square().cumsum(-1)  # (n, n, d)
    squares[torch.arange(len(x)), torch.arange(len(x))] = torch.inf
    distances = squares.kthvalue(k, dim=1).values.sqrt().T
    return distances if prefixes is None else distances[[p - 1 for p in prefixes]]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("n", "d", "k"), SIZES)
def test_agrees_with_one_search_per_prefix(n: int, d: int, k: int, dtype: torch.dtype, device: str) -> None:
    x = torch.randn(n, d, dtype=dtype)
    found = prefix_knn(x.to(device), k)
    assert found.shape == (d, n)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double().cpu(), one_by_one(x, k), rtol=TOLERANCE[dtype], atol=0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("prefixes", [[1], [40], [3, 7, 8, 9, 31, 39], [8, 16, 24, 32, 40], [1, 2, 4, 8, 16]])
def test_a_list_of_prefixes(prefixes: list[int], device: str) -> None:
    x = torch.randn(140, 40)
    found = prefix_knn(x.to(device), 4, prefixes).double().cpu()
    torch.testing.assert_close(found, one_by_one(x, 4, prefixes), rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_instruction_set(level: str, dtype: torch.dtype) -> None:
    x = torch.randn(1300, 21, dtype=dtype)  # enough points for the seed of the thresholds to leave some out
    expected = torch.stack([knn(x[:, :d], 3).distances[:, -1] for d in range(1, 22)])
    torch.testing.assert_close(prefix_knn(x, 3), expected, rtol=TOLERANCE[dtype], atol=0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_mean_log(dtype: torch.dtype, device: str) -> None:
    x = torch.randn(700, 20, dtype=dtype, device=device)
    found = prefix_knn(x, 5, mean_log=True)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, prefix_knn(x, 5).double().log().mean(1), rtol=0, atol=1e-6)
    assert torch.equal(found, prefix_knn(x, 5, mean_log=True))


@pytest.mark.parametrize("device", DEVICES)
def test_duplicates_and_offsets(device: str) -> None:
    x = torch.randn(200, 24) + 1e4
    x[1::2] = x[::2]
    x[1::2, 12:] += 0.5  # duplicates in the first 12 coordinates only
    found = prefix_knn(x.to(device), 1).double().cpu()
    assert (found[:12] == 0).all()
    torch.testing.assert_close(found, one_by_one(x, 1), rtol=1e-5, atol=0)
    assert (prefix_knn(x.to(device), 1, mean_log=True)[:12] == -torch.inf).all()


@pytest.mark.parametrize("count", [1, 3])
def test_threads_change_nothing(count: int) -> None:
    x = torch.randn(900, 10)
    expected = prefix_knn(x, 5), prefix_knn(x, 5, mean_log=True)
    with threads(count):
        found = prefix_knn(x, 5), prefix_knn(x, 5, mean_log=True)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck_and_compile(device: str) -> None:
    x = torch.randn(30, 6, device=device)
    for mean_log in (False, True):
        torch.library.opcheck(torch.ops.entropix.prefix_knn, (x, 2, [1, 3, 6], mean_log))
    compiled = torch.compile(lambda x: prefix_knn(x.T.contiguous().T, 2), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), prefix_knn(x, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: prefix_knn(x[None], 1), r"shape \(n, d\), got \(1, 5, 3\)"),
        (lambda x: prefix_knn(x, 5), "k must lie between 1 and 4"),
        (lambda x: prefix_knn(x, 1, []), r"ascend strictly within 1..3, got \[\]"),
        (lambda x: prefix_knn(x, 1, [2, 2]), r"got \[2, 2\]"),
        (lambda x: prefix_knn(x, 1, [0, 1]), r"got \[0, 1\]"),
        (lambda x: prefix_knn(x, 1, [4]), r"got \[4\]"),
        (lambda x: prefix_knn(x * torch.nan, 1), "x holds NaN or inf in 5"),
    ],
)
def test_errors(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(torch.ones(5, 3))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", [1e-36, 1e-23, 1e-5, 1e20, 1e37])
def test_keeps_the_range_of_knn(scale: float, device: str) -> None:
    """Squares of these points' differences are no float32 numbers."""
    x = (torch.randn(200, 7, dtype=torch.float64) * scale).float()
    expected = torch.stack([knn(x[:, :d], 4).distances[:, -1] for d in range(1, 8)])
    torch.testing.assert_close(prefix_knn(x.to(device), 4).cpu(), expected, rtol=1e-5, atol=0)
    means = prefix_knn(x.to(device), 4, mean_log=True).cpu()
    torch.testing.assert_close(means, expected.double().log().mean(1), rtol=0, atol=1e-5)


def test_has_no_gradient() -> None:
    assert not prefix_knn(torch.randn(20, 3, requires_grad=True), 2).requires_grad
