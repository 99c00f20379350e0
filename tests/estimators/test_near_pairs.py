"""Which pairs are near copies: the level of the test, and that both ends have to agree.

The rule is written out here once more, from the top of `entropix.estimators._duplicates`.
"""

import pytest
import torch
from helpers import naive_knn
from scipy.special import digamma

from entropix.estimators import EstimatorWarning, merge_duplicates

K = 20  # neighbours that the distance of a pair is compared with
N = 120


def with_pair(distance: float, dimension: int) -> torch.Tensor:
    """A normal sample whose last row lies at this distance from the first, towards the middle."""
    x = torch.randn(N - 1, dimension, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.cat([x, x[:1] * (1 - distance / x[0].norm())])


def near(distance: float, dimension: int, false_merges: float) -> tuple[bool, bool]:
    """Whether the first and the last row are copies as seen from the first, and from the last."""
    distances = naive_knn(with_pair(distance, dimension), K).distances
    spread = (distances[:, -1] / distances[:, K // 2 - 1]).log().median().item()
    m = float(digamma(K) - digamma(K // 2)) / spread
    share = 1 - (1 - false_merges / N) ** (1 / (K - 1))
    first, last = (distance < share ** (1 / m) * distances[[0, -1], -1]).tolist()
    return first, last


def largest(dimension: int, false_merges: float, end: int) -> float:
    """The largest distance at which they are copies as seen from that end, by halving."""
    low, high = 0.0, 4.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if near(middle, dimension, false_merges)[end] else (low, middle)
    return low


@pytest.mark.parametrize("dimension", [1, 4])
def test_one_sample_in_a_hundred_has_a_false_merge(dimension: int) -> None:
    """A pair as close as by chance in one sample of 200 is one of copies, and as close as in one of 50 is not."""
    rarely, often = (min(largest(dimension, level, end) for end in (0, 1)) for level in (0.005, 0.02))
    with pytest.warns(EstimatorWarning, match=f"1 of {N} rows are copies"):
        assert merge_duplicates(with_pair(rarely, dimension)).n_merged == 1
    assert merge_duplicates(with_pair(often, dimension)).n_merged == 0


def test_a_pair_is_seen_from_both_ends() -> None:
    """In many dimensions the neighbourhood of an outer point is wider than that of one nearer to the middle."""
    outer, inner = (largest(20, 0.01, end) for end in (0, 1))
    between = (outer + inner) / 2
    assert near(between, 20, 0.01) == (True, False)
    assert merge_duplicates(with_pair(between, 20)).n_merged == 0
    with pytest.warns(EstimatorWarning, match=f"1 of {N} rows are copies"):
        assert merge_duplicates(with_pair(0.99 * inner, 20)).n_merged == 1
