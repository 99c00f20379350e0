"""Maximum-likelihood independent component analysis, the map behind mixtures of sources."""

from math import log

import numpy as np
import pytest

from entropix.estimators._unmixing import _bound, _fast_ica, _score, unmix


def mixed(kind: str, d: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    """x = s matrix, the matrix, and the entropy of x; no kind is among those of truths.py."""
    rng = np.random.default_rng(seed)
    s, h = {
        "exponential": (rng.exponential(size=(n, d)), 1.0),
        "gamma": (rng.gamma(3, size=(n, d)), 1.8476),
        "arcs": (rng.beta(2, 2, size=(n, d)), -0.1251),
    }[kind]
    matrix = rng.normal(size=(d, d))
    return s @ matrix, matrix, d * h + float(np.linalg.slogdet(matrix)[1])


@pytest.mark.parametrize("kind", ["exponential", "gamma", "arcs"])
def test_bound_reaches_the_entropy_of_mixed_sources(kind: str) -> None:
    d, n = 8, 2_000
    x, _, truth = mixed(kind, d, n)
    fitted = unmix(x)
    z, cost = fitted.apply(x)
    bound = _bound(z, np.eye(d)) + cost.mean() + fitted.parameters / (2 * n)
    assert bound == pytest.approx(truth, abs=0.2)


def test_fixed_contrast_does_not_reach_it() -> None:
    x, _, truth = mixed("exponential", 8, 2_000)
    assert _bound(x - x.mean(0), _fast_ica(x)) > truth + 0.4


def test_sources_are_found() -> None:
    x, matrix, _ = mixed("exponential", 6, 3_000)
    gains = np.abs(matrix @ (unmix(x).apply(np.eye(6))[0] - unmix(x).apply(np.zeros((1, 6)))[0]))
    gains /= gains.max(0)
    assert (np.sort(gains, axis=0)[-2] < 0.05).all()
    assert sorted(gains.argmax(0)) == list(range(6))


@pytest.mark.parametrize(
    ("draw", "score"),
    [
        (lambda rng, n: rng.normal(size=n), lambda z: z),
        (lambda rng, n: rng.logistic(size=n), lambda z: np.tanh(z / 2)),
    ],
)
def test_score_is_minus_the_slope_of_the_log_density(draw: object, score: object) -> None:
    z = draw(np.random.default_rng(0), 20_000)
    found, slope = _score(z)
    inner = np.abs(z) < np.quantile(np.abs(z), 0.95)
    assert np.abs(found - score(z))[inner].mean() < 0.05
    assert slope.mean() == pytest.approx((found**2).mean(), rel=1e-6)  # partial integration, exact for the fit


def test_a_column_with_few_values_is_left_as_it_was_found() -> None:
    rng = np.random.default_rng(0)
    x = np.c_[rng.integers(0, 2, 200), rng.normal(size=(200, 2))].astype(float)
    z, cost = unmix(x).apply(x)
    assert np.isfinite(z).all()
    assert np.isfinite(cost).all()


def test_normal_rows_in_few_dimensions_keep_their_entropy() -> None:
    x = np.random.default_rng(0).normal(size=(2_000, 4))
    z, cost = unmix(x).apply(x)
    assert _bound(z, np.eye(4)) + cost.mean() == pytest.approx(2 * log(2 * np.pi * np.e), abs=0.15)
