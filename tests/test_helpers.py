"""The comparison of neighbours accepts what is right and rejects what is wrong."""

import pytest
import torch
from helpers import assert_same_neighbours, naive_knn

from entropix.ops import Neighbours

# One query; points 1 and 2 are equally near, point 3 is as far as point 4 but for rounding.
TRUE = torch.tensor([[1.0, 2.0, 2.0, 3.0, 3.0 + 1e-9, 9.0]], dtype=torch.float64)


def neighbours(indices: list[int], distances: list[float] | None = None) -> Neighbours:
    row = torch.tensor([indices])
    values = TRUE.gather(1, row) if distances is None else torch.tensor([distances], dtype=torch.float64)
    return Neighbours(values, row)


@pytest.mark.parametrize("indices", [[0, 1, 2, 3], [0, 2, 1, 3], [0, 1, 2, 4]])
def test_accepts_every_order_of_ties(indices: list[int]) -> None:
    assert_same_neighbours(neighbours(indices), TRUE)


@pytest.mark.parametrize(
    "wrong",
    [
        neighbours([0, 1, 3, 4]),  # point 2 is nearer
        neighbours([0, 1, 2, 5]),  # too far
        neighbours([0, 1, 1, 3]),  # twice
        neighbours([1, 0, 2, 3]),  # does not ascend
        neighbours([0, 1, 2, 3], [1.0, 2.0, 2.0, 3.001]),  # wrong distance
        neighbours([0, 1, 5, 3], [1.0, 2.0, 2.0, 3.0]),  # index of another distance
        neighbours([0, 1, 2, 6], [1.0, 2.0, 2.0, 3.0]),  # no such point
    ],
)
def test_rejects_wrong_neighbours(wrong: Neighbours) -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        assert_same_neighbours(wrong, TRUE)


def test_naive_knn_on_a_line() -> None:
    found = naive_knn(torch.tensor([[0.0], [1.0], [3.0], [-1.0]]), 2)
    assert found.indices.tolist() == [[1, 3], [0, 2], [1, 0], [0, 1]]
    assert found.distances.tolist() == [[1, 1], [1, 2], [2, 3], [1, 2]]
