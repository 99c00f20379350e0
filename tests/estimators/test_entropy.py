"""entropy: truth, methods, awkward input, results."""

import json
import warnings
from math import log, pi

import numpy as np
import pytest
import torch
from truths import FAMILIES

from entropix.estimators import Entropy, EstimatorWarning, entropy

E = np.e


def estimate(family: str, d: int, n: int, method: str = "auto", seed: int = 0) -> tuple[Entropy, float]:
    x, truth = FAMILIES[family](d, n, np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", EstimatorWarning
        )  # one sample in a hundred has a pair that looks like duplicates
        return entropy(x, method=method), truth


@pytest.mark.parametrize(("method", "metric"), [("kl", 2), ("kl_chebyshev", np.inf)])
def test_formula_against_scipy(method: str, metric: float, rng: np.random.Generator) -> None:
    from scipy.spatial import cKDTree
    from scipy.special import digamma, gammaln

    x = rng.normal(size=(300, 3))
    distance = cKDTree(x).query(x, 5, p=metric)[0][:, 4]  # the first is the point itself: the 4th neighbour
    volume = 1.5 * log(pi) - gammaln(2.5) if metric == 2 else 3 * log(2)
    expected = digamma(300) - digamma(4) + volume + 3 * np.log(distance).mean()
    assert entropy(x, k=4, method=method).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("family", ["normal", "equicorrelated", "laplace", "student5", "cube", "four_clusters"])
@pytest.mark.parametrize("d", [1, 4])
def test_few_dimensions(family: str, d: int) -> None:
    result, truth = estimate(family, d, 2_000, seed=1)
    assert abs(result.value - truth) < 0.15
    assert abs(result.value - truth) < 4 * result.stderr


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("family", "share"),
    [
        ("normal", 0.02),
        ("laplace", 0.05),
        pytest.param("equicorrelated", 0.02, marks=SLOW),
        pytest.param("cube", 0.02, marks=SLOW),
        pytest.param("two_clusters", 0.02, marks=SLOW),
        pytest.param("four_clusters", 0.02, marks=SLOW),
        pytest.param("student5", 0.05, marks=SLOW),
        pytest.param("multivariate_student5", 0.05, marks=SLOW),
        pytest.param("mixed_sources", 0.02, marks=SLOW),
    ],
)
def test_many_dimensions(family: str, share: float) -> None:
    d = 32
    result, truth = estimate(family, d, 2_000)
    assert abs(result.value - truth) < share * d
    assert result.method.startswith("structured")


def test_plain_estimate_is_biased_where_auto_is_not() -> None:
    plain, truth = estimate("normal", 32, 2_000, "kl")
    assert plain.value - truth > 2


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("cube", "independent"),
        ("equicorrelated", "whitened"),
        ("mixed_sources", "unmixed"),
        ("multivariate_student5", "radial"),
        ("four_clusters", "clusters"),
    ],
)
def test_map_that_fits_is_chosen(family: str, name: str) -> None:
    assert name in estimate(family, 16, 2_000)[0].method


@pytest.mark.parametrize("family", ["linear_manifold", "curved_manifold"])
@pytest.mark.parametrize("d", [2, 8])
def test_manifolds_in_many_columns(family: str, d: int) -> None:
    result, truth = estimate(family, d, 1_000)
    assert result.dimension == d
    assert abs(result.value - truth) < 0.25


def test_manifold_with_given_dimension_is_the_formula(rng: np.random.Generator) -> None:
    x = rng.normal(size=(500, 2))
    flat = np.hstack([x, np.zeros((500, 3))])
    result = entropy(flat, method="manifold", dimension=2)
    assert result.value == pytest.approx(entropy(x, method="kl").value, rel=1e-12)
    assert result.dimension == 2


def test_manifold_estimates_its_dimension_and_says_what_that_adds(rng: np.random.Generator) -> None:
    x = 100 * rng.normal(size=(500, 3))
    free, fixed = entropy(x, method="manifold"), entropy(x, method="manifold", dimension=3)
    assert free.dimension == pytest.approx(3, rel=0.1)
    assert free.stderr > fixed.stderr


def test_interval_knows_that_the_dimension_was_rounded() -> None:
    """Errors of one dimension are likely at 32 (about 0.7 nats here) and all but impossible at 2."""
    far, near = estimate("curved_manifold", 32, 1_000)[0], estimate("curved_manifold", 2, 1_000)[0]
    assert far.stderr > 0.2
    assert near.stderr < 0.06


@pytest.mark.parametrize("method", ["kl", pytest.param("auto", marks=SLOW)])
@pytest.mark.parametrize("family", ["normal", "cube"])
def test_interval_holds_the_truth_about_as_often_as_it_says(family: str, method: str) -> None:
    held = []
    for seed in range(100):
        result, truth = estimate(family, 1 if method == "kl" else 2, 500, method, seed)
        held.append(result.ci[0] <= truth <= result.ci[1])
    assert 0.88 <= np.mean(held) <= 1


def test_standard_error_is_the_spread_of_estimates() -> None:
    """On a cube contributions vary little, and their sharing of neighbours is most of the error."""
    results = [estimate("cube", 1, 300, "kl", seed)[0] for seed in range(300)]
    spread = np.std([result.value for result in results])
    assert np.mean([result.stderr for result in results]) == pytest.approx(spread, rel=0.12)


def test_base_and_local(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 2))
    nats, bits = entropy(x, method="kl", local=True), entropy(x, base=2, method="kl")
    assert bits.value * log(2) == pytest.approx(nats.value)
    assert bits.stderr * log(2) == pytest.approx(nats.stderr)
    assert nats.local.shape == (200,)
    assert nats.local.mean() == pytest.approx(nats.value)
    assert "bits" in repr(bits)


def test_local_is_the_surprise() -> None:
    x = np.random.default_rng(0).normal(size=(2_000, 8))
    surprise = 0.5 * (x**2).sum(1)
    for method in ("kl", "structured"):
        local = entropy(x, method=method, local=True).local
        assert np.corrcoef(local, surprise)[0, 1] > 0.8


def test_result_is_readable_and_serialisable(rng: np.random.Generator) -> None:
    result = entropy(rng.normal(size=(100, 2)), method="kl")
    stored = json.loads(json.dumps(result.to_dict()))
    assert stored["value"] == float(result) == result.value
    assert stored["method"] == "kl"
    assert stored["ci"] == list(result.ci)
    assert "local" not in stored
    assert "n=100" in repr(result)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_keep_their_kind(dtype: torch.dtype) -> None:
    x = torch.randn(200, 3, dtype=dtype)
    for method in ("kl", "manifold", "auto"):
        result = entropy(x, method=method, local=True)
        assert result.local.dtype == dtype
        assert isinstance(result.value, float)


@pytest.mark.parametrize("method", ["kl", "kl_chebyshev", "manifold"])
def test_gradient(method: str) -> None:
    x = torch.randn(60, 2, dtype=torch.float64, requires_grad=True)
    value = entropy(x, method=method).value
    assert value.shape == ()
    (gradient,) = torch.autograd.grad(value, x)
    step = torch.zeros_like(x)
    step[3, 1] = 1e-6
    kwargs = {"dimension": entropy(x.detach(), method=method).dimension} if method == "manifold" else {}
    with torch.no_grad():
        difference = entropy(x + step, method=method, **kwargs).value - entropy(x - step, method=method, **kwargs).value
    assert difference / 2e-6 == pytest.approx(float(gradient[3, 1]), rel=1e-4, abs=1e-8)


def test_no_gradient_where_a_model_is_chosen() -> None:
    with pytest.raises(ValueError, match="no gradient"):
        entropy(torch.randn(60, 2, requires_grad=True))


@pytest.mark.parametrize(
    ("x", "kwargs", "error", "message"),
    [
        (np.ones((5, 3, 2, 2)), {}, ValueError, "shape"),
        (np.ones((0, 3)), {}, ValueError, "empty axis"),
        (np.array([[1.0], [np.nan], [2.0]]), {}, ValueError, "NaN or infinite values in 1 rows"),
        (np.array([[1.0], [np.inf], [2.0]]), {}, ValueError, "NaN or infinite"),
        (np.ones((4, 2), dtype=complex), {}, TypeError, "real numbers"),
        (np.array([["a"], ["b"]]), {}, TypeError, "real numbers"),
        (torch.ones(4, 2, dtype=torch.bool), {}, TypeError, "real numbers"),
        (np.arange(6.0)[:, None], {"k": 6}, ValueError, "k = 6 neighbours need more than 6 points"),
        (np.ones((1, 3)), {}, ValueError, "need more than 5 points"),
        (np.arange(9.0)[:, None], {"k": 0}, ValueError, "at least one"),
        (np.arange(9.0)[:, None], {"k": 2.5}, TypeError, "whole number"),
        (np.arange(9.0)[:, None], {"method": "kde"}, ValueError, "method is 'kde'"),
        (np.arange(9.0)[:, None], {"base": 1}, ValueError, "base"),
        (np.arange(9.0)[:, None], {"dimension": 2}, ValueError, "dimension = 2"),
    ],
)
def test_bad_input(x: object, kwargs: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        entropy(x, **kwargs)


def test_too_few_distinct_rows() -> None:
    with pytest.raises(ValueError, match="distinct points"):
        entropy(np.repeat(np.random.default_rng(0).normal(size=(4, 2)), 10, axis=0))


def test_constant_column(rng: np.random.Generator) -> None:
    x = np.hstack([rng.normal(size=(300, 2)), np.ones((300, 1))])
    with pytest.raises(ValueError, match="1 of 3 columns are constant"):
        entropy(x, method="kl")
    with pytest.warns(EstimatorWarning, match="span 2 of 3 dimensions"):
        result = entropy(x)
    assert result.dimension == 2
    assert result.value == pytest.approx(log(2 * pi * E), abs=0.2)


def test_rank_deficient(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 2))
    x = np.hstack([x, x @ [[1.0], [2.0]]])
    with pytest.raises(ValueError, match="span 2 of 3 dimensions"):
        entropy(x, method="kl")
    with pytest.warns(EstimatorWarning, match="span 2 of 3 dimensions"):
        # the plane is stretched by sqrt(1 + 1 + 4)
        assert entropy(x).value == pytest.approx(log(2 * pi * E) + 0.5 * log(6), abs=0.2)


def test_units_do_not_look_like_a_lost_rank(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 2)) * [1e-6, 1e6]
    assert entropy(x.astype(np.float32)).value == pytest.approx(log(2 * pi * E), abs=0.2)


def test_more_columns_than_rows(rng: np.random.Generator) -> None:
    x = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 100)) + 1e-3 * rng.normal(size=(60, 100))
    with pytest.warns(EstimatorWarning, match="varies in about"):
        assert entropy(x).dimension < 6


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float32])
def test_quantised_data_has_the_entropy_of_its_cells(dtype: type) -> None:
    x = np.random.default_rng(0).normal(size=(1_000, 3))
    grey = np.clip(np.round(20 * x + 64), 0, 127).astype(dtype)
    with pytest.warns(EstimatorWarning, match="quantised"):
        result = entropy(grey, method="kl")
    truth = 1.5 * log(2 * pi * E) + 3 * log(20)
    assert result.value == pytest.approx(truth, abs=0.2)


def test_float16_and_big_endian_are_read(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 2))
    assert entropy(x.astype(">f8"), method="kl").value == entropy(x, method="kl").value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimatorWarning)
        assert entropy(x.astype(np.float16), method="kl").value == pytest.approx(
            entropy(x, method="kl").value, abs=0.05
        )


def test_input_is_left_alone(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 4))
    before = x.copy()
    entropy(x)
    np.testing.assert_array_equal(x, before)
    x.setflags(write=False)
    entropy(x, method="kl")


def test_same_answer_twice() -> None:
    x = np.random.default_rng(3).normal(size=(300, 4))
    assert entropy(x) == entropy(x)


def test_heavy_tails_are_not_a_manifold() -> None:
    x = np.exp(3 * np.random.default_rng(0).normal(size=(500, 4)))
    result = entropy(x)
    assert result.dimension == 4
    assert result.value == pytest.approx(4 * (0.5 * log(2 * pi * E) + log(3)), abs=0.5)


def test_grey_levels_in_columns_of_distinct_rows() -> None:
    x = np.random.default_rng(0).normal(size=(500, 8))
    with pytest.warns(EstimatorWarning, match="8 of 8 columns are quantised"):
        result = entropy(np.round(20 * x))
    assert result.value == pytest.approx(8 * (0.5 * log(2 * pi * E) + log(20)), abs=0.4)


def test_columns_with_an_atom(rng: np.random.Generator) -> None:
    x = np.hstack([rng.normal(size=(300, 2)), np.maximum(rng.normal(size=(300, 1)), 0)])
    with pytest.raises(ValueError, match="repeat single values"):
        entropy(x, method="structured")
    with pytest.warns(EstimatorWarning, match="'kl' was used"):
        assert entropy(x).value == entropy(x, method="kl").value


@pytest.mark.parametrize(("n", "d"), [(7, 3), (8, 2), (12, 5), (30, 8), (70, 64)])
def test_few_rows(n: int, d: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimatorWarning)
        assert np.isfinite(entropy(np.random.default_rng(0).normal(size=(n, d))).value)
