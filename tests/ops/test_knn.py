"""k nearest neighbours against float64 oracles: sizes at tile edges, ties, duplicates, offsets, batches, gradients."""

import numpy as np
import pytest
import torch
from helpers import DEVICES, DTYPES, METRICS, assert_same_neighbours, naive_distances, naive_knn, threads
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from entropix.ops import knn

LEVELS = ["portable", "avx2", "avx512"]
# Around the CPU's panels of 32 and blocks of 128, and CUDA's tiles of 32 points by 256 rows and 32 coordinates.
SIZES = [(2, 1, 1), (31, 3, 30), (32, 8, 5), (33, 2, 32), (65, 33, 3), (129, 1, 64), (257, 9, 13), (600, 31, 5)]
SIZES += [(515, 32, 1), (130, 130, 5), (40, 1024, 3), (700, 4, 100), (700, 10, 190)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n", "d", "k"), SIZES)
def test_agrees_with_the_oracle(n: int, d: int, k: int, metric: str, dtype: torch.dtype, device: str) -> None:
    x, query = torch.randn(n, d, dtype=dtype), torch.randn(37, d, dtype=dtype)
    assert_same_neighbours(knn(x.to(device), k, metric=metric), naive_distances(x, metric=metric))
    found = knn(x.to(device), k, query.to(device), metric)
    assert_same_neighbours(found, naive_distances(x, query, metric))


@pytest.mark.parametrize(("metric", "p"), [("euclidean", 2), ("chebyshev", np.inf)])
@pytest.mark.parametrize("d", [2, 5, 20])
def test_agrees_with_scipy(metric: str, p: float, d: int, rng: np.random.Generator) -> None:
    from scipy.spatial import cKDTree

    x = rng.standard_normal((1500, d))
    distances, indices = cKDTree(x).query(x, 7, p=p)
    found = knn(torch.from_numpy(x), 6, metric=metric)
    np.testing.assert_allclose(found.distances, distances[:, 1:], rtol=1e-13)
    np.testing.assert_array_equal(found.indices, indices[:, 1:])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("d", [1, 3, 8, 13, 40, 130])
def test_every_instruction_set(level: str, d: int, metric: str, dtype: torch.dtype) -> None:
    x = torch.randn(321, d, dtype=dtype)
    for k in (9, 70):
        expected = naive_knn(x, k, metric=metric)
        found = knn(x, k, metric=metric)
        assert torch.equal(found.indices, expected.indices)
        # one rounding to dtype, and for float64 another order of the same sum
        torch.testing.assert_close(found.distances, expected.distances.to(dtype), rtol=1e-7, atol=0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_change_nothing(count: int) -> None:
    x = torch.randn(1000, 12)
    expected = knn(x, 5)
    with threads(count):
        found = knn(x, 5)
    assert torch.equal(found.distances, expected.distances)
    assert torch.equal(found.indices, expected.indices)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_ties_go_to_the_lower_index(dtype: torch.dtype, metric: str, device: str) -> None:
    x = torch.randint(0, 4, (700, 3)).to(dtype)  # every point has many duplicates and equally near neighbours
    expected = naive_knn(x, 20, metric=metric)
    found = knn(x.to(device), 20, metric=metric)
    assert torch.equal(found.indices.cpu(), expected.indices)
    same = torch.ones(300, 10, dtype=dtype)
    assert torch.equal(knn(same.to(device), 4).indices[5].cpu(), torch.arange(4))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("d", [2, 16, 300])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_near_duplicates_far_from_the_origin_keep_their_distance(offset: float, d: int, device: str) -> None:
    x = torch.randn(400, d) + offset
    x[1::2] = torch.nextafter(x[::2], torch.tensor(torch.inf))
    found = knn(x.to(device), 3)
    assert_same_neighbours(found, naive_distances(x))
    assert torch.equal(found.indices[::2, 0].cpu(), torch.arange(1, 400, 2))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e15])
def test_squares_that_underflow_or_nearly_overflow(scale: float, device: str) -> None:
    x = torch.randn(300, 6) * scale
    assert_same_neighbours(knn(x.to(device), 4), naive_distances(x))


def hard_points(kind: str, n: int, d: int) -> Tensor:
    """Points whose squared distances are lost, or nearly so, in |x|^2 + |y|^2 - 2xy; float64."""
    x = torch.randn(n, d, dtype=torch.float64)
    if kind == "clusters":  # the k-th neighbour is 10 to 1,000 times nearer than the centre
        x += torch.tensor([-1e3, -30.0, 30.0, 1e3])[torch.arange(n) % 4, None]
    elif kind == "duplicates":
        x[1::2] = x[: n // 2 * 2 : 2] * (1 + 1e-6)
    elif kind == "tight cluster in a broad one":
        x[: n // 3] = x[0] * 20 + 1e-3 * x[: n // 3]
    elif kind == "outlier":
        x[-1] *= 1e4
    elif kind == "far":
        x += 1e4
    elif kind == "line":  # every coordinate is the same, so all products round alike
        x = x[:, :1].expand(n, d) + 1e-3 * x + 50
    elif kind == "shells":  # neighbours so nearly equally far that rounding would choose between them
        x = torch.cat([torch.randn(1, d), x[1:] * 1e-4 + 7], 0)
    return x


HARD = ["clusters", "duplicates", "tight cluster in a broad one", "outlier", "far", "line", "shells"]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("d", [8, 33, 100])
@pytest.mark.parametrize("kind", HARD)
def test_no_neighbour_is_lost_where_products_cancel(kind: str, d: int, dtype: torch.dtype, level: str) -> None:
    x = hard_points(kind, 230, d).to(dtype)
    expected = naive_knn(x, 200).indices
    for k in (1, 5, 40, 200):  # 200: without first thresholds
        assert torch.equal(knn(x, k).indices, expected[:, :k])
    query = torch.cat([x[::9] + 1e-3, 100 * x[::50], x[:3]])
    assert torch.equal(knn(x, 5, query).indices, naive_knn(x, 5, query).indices)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["normal", "outlier", "shells"])  # of which boxes exclude little
def test_blocks_that_meet_in_pairs_lose_no_neighbour(kind: str, metric: str, dtype: torch.dtype, level: str) -> None:
    """Six blocks of 128 on two threads; 200 neighbours are more than first thresholds are made for."""
    x = hard_points(kind, 700, 10).to(dtype)
    expected = naive_knn(x, 200, metric=metric).indices
    with threads(2):
        for k in (1, 40, 200):
            assert torch.equal(knn(x, k, metric=metric).indices, expected[:, :k])


@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [(torch.float32, e) for e in (-140, -80, -72, -62, 60, 63, 120)] + [(torch.float64, e) for e in (-500, 505)],
    ids=str,
)
@pytest.mark.parametrize("d", [8, 100])
def test_scale_changes_no_neighbour(d: int, dtype: torch.dtype, exponent: int, level: str) -> None:
    """Squares that vanish or are subnormal, that overflow in the sum of products, or all of them."""
    half = exponent // 2  # 2^exponent itself may not be a number
    x = torch.randn(200, d, dtype=torch.float64).to(dtype)
    scaled = x * 2.0**half * 2.0 ** (exponent - half)
    same = scaled.double() * 2.0**-half * 2.0 ** (half - exponent)  # x, but for digits lost to subnormal numbers
    assert torch.equal(knn(scaled, 5).indices, naive_knn(same, 5).indices)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["normal", "few values", "one value", "few apart", "squares overflow"])
def test_points_on_a_line(kind: str, metric: str, dtype: torch.dtype) -> None:
    x = torch.randn(300, 1, dtype=torch.float64)
    x = {
        "normal": x,
        "few values": (x * 3).round(),
        "one value": torch.ones_like(x),
        "few apart": x.round() + 1e-3 * torch.arange(300)[:, None],
        "squares overflow": x * (1e18 if dtype == torch.float32 else 1e150),
    }[kind].to(dtype)
    query = torch.cat([x[:9], x.max() + torch.arange(3, dtype=dtype)[:, None], x[5:9] - 0.5])
    for k in (1, 7, 299):
        for queries in (None, query):
            found, expected = (search(x, k, queries, metric=metric) for search in (knn, naive_knn))
            assert torch.equal(found.indices, expected.indices)
            torch.testing.assert_close(found.distances, expected.distances.to(dtype), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("distinct", [1, 2, 9, 100])
def test_copies_are_searched_as_one(distinct: int, metric: str, dtype: torch.dtype) -> None:
    signed_zeros = torch.tensor([-0.0, 0.0, 1.0])[torch.randint(0, 3, (distinct, 5))]  # equal, but of other bits
    for x in (torch.randn(distinct, 5), signed_zeros):
        x = x.to(dtype)[torch.randint(0, distinct, (400,))]
        for k in (1, 6, 60, 399):
            found, expected = knn(x, k, metric=metric), naive_knn(x, k, metric=metric)
            assert torch.equal(found.indices, expected.indices)
            torch.testing.assert_close(found.distances, expected.distances.to(dtype), rtol=1e-6, atol=0)


@pytest.mark.parametrize("d", [8, 40])
def test_ties_in_high_dimension_go_to_the_lower_index(d: int, level: str) -> None:
    x = torch.randint(0, 2, (500, d)).float() * 4096 + 1e6  # exact, and many pairs equally far
    assert torch.equal(knn(x, 20).indices, naive_knn(x, 20).indices)


def test_agrees_with_scipy_in_high_dimension(level: str, rng: np.random.Generator) -> None:
    from scipy.spatial import cKDTree

    x = rng.standard_normal((1500, 64), dtype=np.float32) + np.float32(100)
    distances, indices = cKDTree(x.astype(np.float64)).query(x[:300].astype(np.float64), 64)
    found = knn(torch.from_numpy(x), 64, torch.from_numpy(x[:300]))
    np.testing.assert_allclose(found.distances, distances, rtol=1e-7)
    np.testing.assert_array_equal(found.indices, indices)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("with_query", [False, True])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_batch_is_a_loop(batch: int, with_query: bool, device: str) -> None:
    x = torch.randn(batch, 70, 6, device=device)
    query = torch.randn(batch, 9, 6, device=device) if with_query else None
    found = knn(x, 4, query)
    for b in range(batch):
        one = knn(x[b], 4, None if query is None else query[b])
        assert torch.equal(found.distances[b], one.distances)
        assert torch.equal(found.indices[b], one.indices)


@pytest.mark.parametrize("device", DEVICES)
def test_non_contiguous_inputs(device: str) -> None:
    x = torch.randn(12, 200, device=device).T[::2, 1:]
    assert not x.is_contiguous()
    found, expected = knn(x, 5, x[3:9]), knn(x.contiguous(), 5, x[3:9].contiguous())
    assert torch.equal(found.distances, expected.distances)
    assert torch.equal(found.indices, expected.indices)


@given(st.integers(2, 150), st.integers(1, 20), st.integers(0, 10**6), st.booleans())
def test_invariances(n: int, d: int, seed: int, chebyshev: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator)
    metric, k = METRICS[chebyshev], min(5, n - 1)
    found = knn(x, k, metric=metric)
    order = torch.randperm(n, generator=generator)
    permuted = knn(x[order], k, metric=metric)
    assert torch.equal(permuted.distances, found.distances[order])
    assert torch.equal(knn(x * 4, k, metric=metric).distances, found.distances * 4)
    assert torch.equal(knn(-x.flip(1), k, x.flip(1).neg(), metric=metric).distances[:, 0], torch.zeros(n))
    moved = torch.round(x * 2**10)  # integers, so that moving them does not round
    assert torch.equal(knn(moved + 4096, k, metric=metric).distances, knn(moved, k, metric=metric).distances)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", METRICS)
def test_gradients(metric: str, device: str) -> None:
    x = torch.randn(11, 3, dtype=torch.float64, device=device, requires_grad=True)
    query = torch.randn(4, 3, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: knn(x, 3, metric=metric).distances, x)
    assert torch.autograd.gradcheck(lambda x, q: knn(x, 3, q, metric).distances, (x, query))
    assert torch.autograd.gradgradcheck(lambda x: knn(x, 3, metric=metric).distances, x)
    batch = torch.randn(2, 6, 2, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: knn(x, 2, metric=metric).distances, batch)


def test_gradient_of_duplicates_is_zero() -> None:
    x = torch.tensor([[1.0, 2.0], [1.0, 2.0], [5.0, 5.0]], requires_grad=True)
    knn(x, 1).distances[:2].sum().backward()
    assert torch.equal(x.grad, torch.zeros(3, 2))


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck(device: str) -> None:
    x = torch.randn(2, 9, 3, device=device)
    for query in (None, torch.randn(2, 4, 3, device=device, requires_grad=True)):
        for metric in METRICS:
            torch.library.opcheck(torch.ops.entropix.knn, (x.requires_grad_(), query, 2, metric))


@pytest.mark.parametrize("device", DEVICES)
def test_compiles_without_a_graph_break(device: str) -> None:
    def mean_log_distance(x: Tensor) -> Tensor:
        return knn(x, 3).distances[:, -1].log().mean()

    x = torch.randn(50, 4, device=device, requires_grad=True)
    compiled = torch.compile(mean_log_distance, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), mean_log_distance(x))
    (found,) = torch.autograd.grad(compiled(x), x)
    (expected,) = torch.autograd.grad(mean_log_distance(x), x)
    torch.testing.assert_close(found, expected)


@pytest.mark.gpu
@pytest.mark.parametrize("n", [5000, 9000])  # several splits of the points
def test_splits_on_cuda(n: int) -> None:
    x = torch.randint(0, 40, (n, 3)).float()
    found, expected = knn(x.cuda(), 20), knn(x, 20)
    assert torch.equal(found.indices.cpu(), expected.indices)
    assert torch.equal(found.distances.cpu(), expected.distances)


@pytest.mark.gpu
def test_rows_with_nan_are_nobodys_neighbours_on_cuda() -> None:
    x = torch.randn(500, 5, device="cuda")
    x[7, 0], x[300, 4] = torch.nan, torch.nan  # not in the last coordinate, where a maximum could forget it
    clean = [i for i in range(500) if i not in (7, 300)]
    for metric in METRICS:
        found = knn(x, 5, metric=metric)
        assert not torch.isin(found.indices[clean], torch.tensor([7, 300], device="cuda")).any()
        assert (found.indices[7] == -1).all()
        assert found.distances[7].isinf().all()


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_distances_that_overflow_keep_their_index_on_cuda(dtype: torch.dtype) -> None:
    x = torch.randn(300, 4, dtype=dtype) * (torch.finfo(dtype).max / 8)
    assert torch.equal(knn(x.cuda(), 5).indices.cpu(), knn(x, 5).indices)


@pytest.mark.gpu
def test_cuda_graph_and_side_stream() -> None:
    x = torch.randn(3000, 16, device="cuda")
    expected = knn(x, 5)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        side = knn(x, 5)
    stream.synchronize()
    assert torch.equal(side.indices, expected.indices)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = knn(x, 5)
    x.copy_(torch.randn_like(x))
    graph.replay()
    assert torch.equal(captured.indices, knn(x, 5).indices)


@pytest.mark.gpu
def test_offsets_beyond_32_bits_on_cuda() -> None:
    n, d = 2**21 + 3, 1025  # 2.1e9 coordinates, 8.6 GB
    x = torch.zeros(n, d, device="cuda")
    x[:, 0] = torch.arange(n, device="cuda")
    found = knn(x, 2, x[-3:])
    assert found.indices.tolist() == [[n - 3, n - 4], [n - 2, n - 3], [n - 1, n - 2]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: knn(x.numpy(), 1), TypeError, "x must be a torch.Tensor, got ndarray"),
        (lambda x: knn(x.half(), 1), TypeError, "x must be float32 or float64, got torch.float16"),
        (lambda x: knn(x[0], 1), ValueError, r"x must have shape \(n, d\) or \(b, n, d\), got \(3,\)"),
        (lambda x: knn(x[:0], 1), ValueError, r"x must not be empty, got shape \(0, 3\)"),
        (lambda x: knn(x, 5), ValueError, r"k must lie between 1 and 4 \(n - 1"),
        (lambda x: knn(x, 0), ValueError, "k must lie between 1 and 4"),
        (lambda x: knn(x, 6, x), ValueError, r"k must lie between 1 and 5 \(n; n = 5\), got 6"),
        (lambda x: knn(x, 1, metric="cosine"), ValueError, "euclidean, chebyshev, got 'cosine'"),
        (lambda x: knn(x, 1, x[:, :2]), ValueError, "agree in every size but the number of points"),
        (lambda x: knn(x, 1, x.double()), ValueError, "query and x must share dtype and device"),
        (lambda x: knn(x.to("meta"), 1), ValueError, "must be on the CPU or a CUDA device"),
        (lambda x: knn(x / 0, 1), ValueError, "x holds NaN or inf in 5 of its rows"),
        (lambda x: knn(x, 1, torch.full((2, 3), torch.nan)), ValueError, "query holds NaN or inf in 2"),
    ],
)
def test_errors(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(torch.ones(5, 3))
