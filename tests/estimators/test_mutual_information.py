"""Mutual information, conditional and total, and divergence: truth and awkward input."""

from math import log

import numpy as np
import pytest
import torch

from entropix.estimators import (
    EstimatorWarning,
    conditional_mutual_information,
    kl_divergence,
    mutual_information,
    total_correlation,
)


def correlated(p: int, rho: float, n: int = 2_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    return x, rho * x + (1 - rho**2) ** 0.5 * rng.normal(size=(n, p)), -p / 2 * log(1 - rho**2)


quietly = pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning")  # one sample in thirty has one


@quietly
@pytest.mark.parametrize(("p", "rho"), [(1, 0.0), (1, 0.5), (1, 0.9), (4, 0.0), (4, 0.5), (4, 0.9)])
def test_normal(p: int, rho: float) -> None:
    estimates = [mutual_information(*correlated(p, rho, n=1_000, seed=seed)[:2]).value for seed in range(5)]
    assert np.mean(estimates) == pytest.approx(correlated(p, rho)[2], abs=0.05)


@pytest.mark.parametrize("method", ["ksg1", "ksg2"])
def test_formulas_against_scipy(method: str) -> None:
    from scipy.special import digamma

    x, y, _ = correlated(2, 0.7, n=150)
    x, y = ((z - z.mean(0)) / z.std(0, ddof=1) for z in (x, y))
    k, n = 4, len(x)
    dx, dy = (np.abs(z[:, None] - z[None]).max(-1) for z in (x, y))
    joint = np.maximum(dx, dy)
    np.fill_diagonal(joint, np.inf)
    nearest = joint.argsort(1)[:, :k]
    rows = np.arange(n)[:, None]
    if method == "ksg1":
        radius = joint[rows, nearest][:, -1:]
        counts = [(d < radius).sum(1) for d in (dx, dy)]  # the point itself stands for the + 1
        expected = digamma(k) + digamma(n) - (digamma(counts[0]) + digamma(counts[1])).mean()
    else:
        counts = [(d <= d[rows, nearest].max(1, keepdims=True)).sum(1) - 1 for d in (dx, dy)]
        expected = digamma(k) - 1 / k + digamma(n) - (digamma(counts[0]) + digamma(counts[1])).mean()
    assert mutual_information(x, y, k, method=method).value == pytest.approx(expected, rel=1e-10)


@quietly
def test_independent_interval_holds_zero() -> None:
    held = 0
    for seed in range(25):
        x, y, _ = correlated(1, 0.0, n=300, seed=seed)
        low, high = mutual_information(x, y).ci
        held += low <= 0 <= high
    assert held >= 22


@quietly
def test_a_relation_without_correlation() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 1_000)
    assert mutual_information(x, x**2 + 0.05 * rng.normal(size=1_000)).value > 1


def test_mixed_discrete_and_continuous() -> None:
    rng = np.random.default_rng(0)
    side = rng.integers(0, 2, 2_000)
    far = side * 100.0 + rng.normal(size=2_000)
    assert mutual_information(side, far, method="mixed").value == pytest.approx(log(2), abs=0.03)
    assert mutual_information(side, side, method="mixed").value == pytest.approx(log(2), abs=0.03)
    other = rng.integers(0, 2, 2_000)
    assert mutual_information(side, other, method="mixed").value == pytest.approx(0, abs=0.03)


@quietly
def test_conditional_on_the_common_cause() -> None:
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 2_000))
    assert conditional_mutual_information(x + z, y + z, z).value == pytest.approx(0, abs=0.05)
    assert mutual_information(x + z, y + z).value == pytest.approx(-0.5 * log(1 - 0.25), abs=0.05)


def test_conditional_normal() -> None:
    rng = np.random.default_rng(0)
    z, a, b = rng.normal(size=(3, 3_000))
    x, y = z + a, z + a + b  # given z: a and a + b
    assert conditional_mutual_information(x, y, z).value == pytest.approx(0.5 * log(2), abs=0.05)


def test_total_correlation_normal() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2_000, 3)) + rng.normal(size=(2_000, 1))
    truth = -0.5 * np.linalg.slogdet(np.full((3, 3), 0.5) + 0.5 * np.eye(3))[1]
    assert total_correlation(x).value == pytest.approx(truth, abs=0.05)


def test_total_correlation_of_two_columns_is_mutual_information() -> None:
    x, y, _ = correlated(1, 0.6, n=400)
    pair = total_correlation(np.hstack([x, y]))
    assert pair.value == pytest.approx(mutual_information(x, y, method="ksg1").value, rel=1e-12)


@quietly
def test_divergence_of_shifted_normals() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3_000, 2)), rng.normal(loc=(1, 0), size=(4_000, 2))
    result = kl_divergence(x, y)
    assert result.value == pytest.approx(0.5, abs=0.1)
    assert kl_divergence(x, rng.normal(size=(4_000, 2))).value == pytest.approx(0, abs=0.1)


@quietly
def test_divergence_gradient_points_to_the_other_sample() -> None:
    x = torch.randn(200, 2, dtype=torch.float64, requires_grad=True)
    y = torch.randn(200, 2, dtype=torch.float64) + 4
    kl_divergence(x, y).value.backward()
    assert float((-x.grad.mean(0)).min()) > 0


@quietly
def test_units_of_either_variable_do_not_matter() -> None:
    x, y, _ = correlated(2, 0.6, n=300)
    for method in ("auto", "ksg1", "mixed"):
        assert mutual_information(1e6 * x, y - 5, method=method).value == pytest.approx(
            mutual_information(x, y, method=method).value, abs=1e-6
        )


@quietly
def test_local_base_and_batch() -> None:
    x, y, _ = correlated(1, 0.6, n=300)
    result = mutual_information(x, y, local=True)
    assert result.local.mean() == pytest.approx(result.value)
    assert mutual_information(x, y, base=2).value * log(2) == pytest.approx(result.value)
    first, second = mutual_information(np.stack([x, y]), np.stack([y, x]))
    assert first.value == pytest.approx(result.value)
    assert second.value == pytest.approx(result.value, abs=0.02)


def test_copied_pairs_are_merged() -> None:
    x, y, _ = correlated(1, 0.6, n=300)
    with pytest.warns(EstimatorWarning, match="copies"):
        doubled = mutual_information(np.tile(x, (2, 1)), np.tile(y, (2, 1)))
    assert doubled.value == pytest.approx(mutual_information(x, y).value, rel=1e-9)


def test_quantised_pairs() -> None:
    x, y, truth = correlated(1, 0.8)
    with pytest.warns(EstimatorWarning, match="quantised"):
        assert mutual_information(np.round(4 * x), np.round(4 * y)).value == pytest.approx(truth, abs=0.08)


def test_many_dimensions_are_said_to_be_too_many() -> None:
    x, y, truth = correlated(16, 0.5, n=500)
    with pytest.warns(EstimatorWarning, match="32 joint dimensions"):
        assert mutual_information(x, y, method="ksg1").value < truth / 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: mutual_information(x, x[:-1]), "samples are paired"),
        (lambda x: mutual_information(x, np.ones_like(x)), "y is constant"),
        (lambda x: mutual_information(x, x, method="binned"), "method is 'binned'"),
        (lambda x: mutual_information(x, x, 100), "k = 100 neighbours"),
        (lambda x: mutual_information(x, x, base=-1), "base"),
        (lambda x: conditional_mutual_information(x, x, x[1:]), "z has"),
        (lambda x: total_correlation(x), "two or more"),
        (lambda x: kl_divergence(x, np.hstack([x, x])), "must agree"),
        (lambda x: kl_divergence(x, x, 1), "exactly on them"),
        (lambda x: kl_divergence(x, x[:4]), "k = 5 neighbours"),
    ],
)
@pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning")
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0).normal(size=(50, 1)))
