"""Eigenvectors and singular vectors have a sign that differs from machine to machine: no estimate may depend on it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from entropix.estimators import entropy, kl_divergence, mutual_information
from entropix.estimators._subspace import subspace_coordinates

ESTIMATES: dict[str, Callable[[torch.Tensor], float]] = {
    "divergence": lambda x: kl_divergence(x[:200], x[200:, :] * 1.5 + 0.3).value,
    "entropy": lambda x: entropy(x).value,
    "entropy of less than the space": lambda x: entropy(x[:, :2] @ x[:2, :]).value,
    "mutual information": lambda x: mutual_information(x[:, :2], x[:, 2:] + x[:, :1]).value,
}


def turned(factor: Callable[..., Any], place: int, rows: bool) -> Callable[..., Any]:
    """Return `factor` with every second vector of its output `place` multiplied by -1."""

    def flipped(matrix: torch.Tensor, **options: Any) -> tuple[torch.Tensor, ...]:
        out = list(factor(matrix, **options))
        vectors = out[place].clone()
        (vectors if rows else vectors.T)[::2] *= -1
        if len(out) == 3:  # u, s, v: u and v turn together
            out[0] = out[0].clone()
            out[0].T[::2] *= -1
        out[place] = vectors
        return tuple(out)

    return flipped


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning")  # of rows in a plane
@pytest.mark.parametrize("name", ESTIMATES)
def test_signs_of_axes_make_no_difference(name: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    x = torch.from_numpy(rng.standard_normal((500, 3)))
    before = ESTIMATES[name](x)
    monkeypatch.setattr(torch.linalg, "eigh", turned(torch.linalg.eigh, 1, rows=False))
    monkeypatch.setattr(torch.linalg, "svd", turned(torch.linalg.svd, 2, rows=True))
    assert ESTIMATES[name](x) == pytest.approx(before, abs=1e-8)


def test_signs_of_axes_turn_no_coordinates(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    x = torch.from_numpy(rng.standard_normal((50, 2)) @ rng.standard_normal((2, 4)))
    before = subspace_coordinates(x, 2)
    monkeypatch.setattr(torch.linalg, "svd", turned(torch.linalg.svd, 2, rows=True))
    assert torch.allclose(subspace_coordinates(x, 2), before)
