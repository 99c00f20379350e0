"""What must hold for any sample, checked on samples that hypothesis draws."""

from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from entropix.estimators import entropy, intrinsic_dimension, kl_divergence, mutual_information, total_correlation

pytestmark = pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning")
seeds = st.integers(0, 2**32 - 1)
dimensions = st.integers(1, 5)
scales = st.floats(1e-6, 1e6)
METHODS = ("kl", "kl_chebyshev", "manifold", "structured")
methods = st.sampled_from(METHODS)
without_choice = st.sampled_from(METHODS[:3])  # "structured" chooses a map, and rounding may tip the choice


def sample(seed: int, d: int, n: int = 80) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kind = seed % 3
    x = rng.normal(size=(n, d)) if kind == 0 else rng.uniform(size=(n, d)) if kind == 1 else rng.laplace(size=(n, d))
    return x @ rng.normal(size=(d, d)) if seed % 2 else x


def value(x: np.ndarray, method: str = "kl", **kwargs: object) -> float:
    return entropy(x, method=method, **kwargs).value


@settings(max_examples=12)
@given(seeds, dimensions, without_choice, st.floats(-1e3, 1e3))
def test_translation(seed: int, d: int, method: str, shift: float) -> None:
    x = sample(seed, d)
    assert value(x + shift, method) == pytest.approx(value(x, method), abs=1e-5)


@given(seeds, dimensions, st.sampled_from(("kl", "manifold")))
def test_rotation(seed: int, d: int, method: str) -> None:
    x = sample(seed, d)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    assert value(x @ rotation, method) == pytest.approx(value(x, method), abs=1e-8)


@given(seeds, dimensions, without_choice)
def test_order_of_rows(seed: int, d: int, method: str) -> None:
    x = sample(seed, d)
    order = np.random.default_rng(seed).permutation(len(x))
    assert value(x[order], method) == pytest.approx(value(x, method), abs=1e-10)
    assert intrinsic_dimension(x[order]).value == pytest.approx(intrinsic_dimension(x).value, rel=1e-10)


@settings(max_examples=4)
@given(seeds)
def test_another_choice_moves_the_structured_estimate_within_its_error(seed: int) -> None:
    """Its map is chosen on halves that are drawn by position, and is fitted from what rounding changes."""
    x = sample(seed, 3, 200)
    first = entropy(x, method="structured")
    for second, change in ((x[::-1], 0.0), (x + 77, 0.0), (2.5 * x, 3 * log(2.5))):
        assert abs(first.value + change - value(second, "structured")) < 3 * first.stderr


@settings(max_examples=12)
@given(seeds, dimensions, without_choice, scales)
def test_scaling(seed: int, d: int, method: str, scale: float) -> None:
    x = sample(seed, d)
    result, scaled = entropy(x, method=method), entropy(scale * x, method=method)
    assert scaled.value == pytest.approx(result.value + result.dimension * log(scale), abs=1e-5)
    assert scaled.dimension == pytest.approx(result.dimension, rel=1e-6)


@settings(max_examples=10)
@given(seeds, st.floats(0.01, 100), st.floats(0.01, 100))
def test_units_of_columns_in_the_structured_estimate(seed: int, a: float, b: float) -> None:
    x = sample(seed, 2, 150)
    plain = entropy(x, method="structured")
    # duplicates are looked for in the units given, so one pair more or less may be merged
    tolerance = 1e-5 if plain.n_merged == entropy(x * [a, b], method="kl").n_merged else plain.stderr
    assert value(x * [a, b], "structured") == pytest.approx(plain.value + log(a * b), abs=tolerance)


@settings(max_examples=4)
@given(seeds)
def test_independent_blocks_add_up(seed: int) -> None:
    x, y = sample(seed, 2, 400), sample(seed + 1, 2, 400)
    parts = entropy(x), entropy(y)
    whole = entropy(np.hstack([x, y]))
    error = (parts[0].stderr ** 2 + parts[1].stderr ** 2 + whole.stderr**2) ** 0.5
    assert abs(whole.value - parts[0].value - parts[1].value) < 4 * error


@settings(max_examples=12)
@given(seeds, dimensions, methods)
def test_batch_is_loop(seed: int, d: int, method: str) -> None:
    batch = np.stack([sample(seed + i, d) for i in range(3)])
    together = entropy(batch, method=method)
    assert together == [entropy(x, method=method) for x in batch]


@settings(max_examples=12)
@given(seeds, dimensions, methods)
def test_numpy_is_torch(seed: int, d: int, method: str) -> None:
    x = sample(seed, d)
    assert value(torch.from_numpy(x), method) == value(x, method)
    assert value(x.tolist(), method) == value(x, method)


@given(seeds, dimensions, st.sampled_from(("kl", "kl_chebyshev", "manifold")))
def test_single_precision(seed: int, d: int, method: str) -> None:
    x = sample(seed, d).astype(np.float32)
    assert value(x, method) == pytest.approx(value(x.astype(np.float64), method), abs=1e-3)


@settings(max_examples=12)
@given(seeds, dimensions, methods, st.integers(2, 4))
def test_a_repeated_sample_changes_nothing(seed: int, d: int, method: str, times: int) -> None:
    x = sample(seed, d)
    once, repeated = entropy(x, method=method), entropy(np.tile(x, (times, 1)), method=method)
    assert repeated.value == pytest.approx(once.value, abs=1e-10)
    assert repeated.stderr == pytest.approx(once.stderr)
    assert repeated.n_merged == len(x) * (times - 1) + once.n_merged


@given(seeds, dimensions)
def test_result_is_finite_and_within_its_interval(seed: int, d: int) -> None:
    result = entropy(sample(seed, d))
    assert np.isfinite(result.value)
    assert result.ci[0] < result.value < result.ci[1]


@settings(max_examples=10)
@given(seeds)
def test_information_is_symmetric(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, 2))
    y = x[:, :1] + rng.normal(size=(100, 1))
    for method in ("auto", "ksg1", "ksg2", "mixed"):
        forth, back = mutual_information(x, y, method=method), mutual_information(y, x, method=method)
        assert forth.value == pytest.approx(back.value, abs=1e-10)


@settings(max_examples=10)
@given(seeds)
def test_noise_lowers_information(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=300)
    clear = x + 0.3 * rng.normal(size=300)
    noisy = clear + 3 * rng.normal(size=300)
    assert mutual_information(x, noisy).value < mutual_information(x, clear).value


@settings(max_examples=10)
@given(seeds)
def test_processing_does_not_add_information(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=300)
    y = x + 0.5 * rng.normal(size=300)
    before, after = mutual_information(x, y), mutual_information(x, np.abs(y))
    assert after.value < before.value + 2 * (before.stderr**2 + after.stderr**2) ** 0.5
    assert mutual_information(x, 3 * y**3 + y).value == pytest.approx(before.value, abs=0.2)  # invertible


@given(seeds)
def test_information_is_order_free(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, 2))
    y = x + rng.normal(size=(100, 2))
    order = rng.permutation(100)
    for function in (lambda a, b: mutual_information(a, b, method="ksg1"), kl_divergence):
        assert function(x[order], y[order]).value == pytest.approx(function(x, y).value, abs=1e-10)
    assert total_correlation(x[order]).value == pytest.approx(total_correlation(x).value, abs=1e-10)


@given(seeds, dimensions, scales)
def test_divergence_is_free_of_units(seed: int, d: int, scale: float) -> None:
    x, y = sample(seed, d), sample(seed + 1, d)
    assert kl_divergence(scale * x + 1, scale * y + 1).value == pytest.approx(kl_divergence(x, y).value, abs=1e-4)


@given(seeds, dimensions, scales)
def test_dimension_is_free_of_units(seed: int, d: int, scale: float) -> None:
    x = sample(seed, d)
    assert intrinsic_dimension(scale * x).value == pytest.approx(intrinsic_dimension(x).value, rel=1e-6)
