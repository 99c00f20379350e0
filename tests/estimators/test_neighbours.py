"""The search in single precision that must find what the one in double precision finds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from entropix import ops
from entropix.estimators import _neighbours as neighbours

KINDS = {
    "normal": lambda rng, n, d: rng.normal(size=(n, d)),
    "far from the origin": lambda rng, n, d: 1e9 + rng.normal(size=(n, d)),
    "units": lambda rng, n, d: rng.normal(size=(n, d)) * np.geomspace(1e-8, 1e8, d),
    "heavy tails": lambda rng, n, d: np.exp(8 * rng.normal(size=(n, d))),
    "grid": lambda rng, n, d: rng.integers(0, 3, size=(n, d)).astype(float),
    "near copies": lambda rng, n, d: rng.normal(size=(n, 1)) + 1e-9 * rng.normal(size=(n, d)),
    "beyond single precision": lambda rng, n, d: 1e100 * rng.normal(size=(n, d)),
    "one value": lambda rng, n, d: np.ones((n, d)),
}


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 1000), st.integers(4, 20), st.integers(1, 8))
def test_same_as_in_double_precision(kind: str, seed: int, d: int, k: int) -> None:
    x = torch.from_numpy(KINDS[kind](np.random.default_rng(seed), 90, d))
    found, expected = neighbours.nearest(x, k), ops.knn(x, k)
    torch.testing.assert_close(found.distances, expected.distances, rtol=1e-14, atol=0)
    untied = expected.distances.diff(dim=1, prepend=torch.full((90, 1), -1.0)) > 1e-12 * expected.distances
    untied[:, -1] = False  # may be tied with the next
    same = found.indices == expected.indices
    assert bool((same | ~untied | ~untied.roll(-1, 1)).all())


def test_single_precision_does_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def watched(x: torch.Tensor, k: int) -> ops.Neighbours:
        used.append(x.dtype)
        return ops.knn(x, k)

    monkeypatch.setattr(neighbours, "knn", watched)
    neighbours.nearest(1e6 + torch.randn(100, 5, dtype=torch.float64), 3)
    assert used == [torch.float32]
