"""Contributions of rows add up to the estimate in every unit."""

from math import log

import numpy as np
import pytest

from entropix.estimators import entropy, mutual_information


@pytest.mark.parametrize("method", ["kl", "kl_chebyshev", "manifold", "structured", "auto"])
def test_contributions_to_an_entropy_have_its_unit(rng: np.random.Generator, method: str) -> None:
    x = 5 * rng.normal(size=(200, 2))
    nats, bits = (entropy(x, method=method, base=base, local=True) for base in (None, 2))
    assert bits.value == pytest.approx(nats.value / log(2))
    assert bits.local.mean() == pytest.approx(bits.value)
    np.testing.assert_allclose(bits.local, nats.local / log(2))


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning")
@pytest.mark.parametrize("method", ["auto", "ksg1", "ksg2", "mixed"])
def test_contributions_to_an_information_have_its_unit(rng: np.random.Generator, method: str) -> None:
    x = rng.normal(size=(200, 1))
    y = x + rng.normal(size=(200, 1))
    nats, bits = (mutual_information(x, y, method=method, base=base, local=True) for base in (None, 2))
    assert bits.local.mean() == pytest.approx(bits.value)
    np.testing.assert_allclose(bits.local, nats.local / log(2))
