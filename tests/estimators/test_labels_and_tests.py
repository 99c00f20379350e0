"""Class labels, permutation tests, many variables at once."""

from math import log

import numpy as np
import pytest

from entropix.estimators import (
    EstimatorWarning,
    discrete_entropy,
    information_scores,
    mutual_information,
    mutual_information_matrix,
)

pytestmark = pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning")


@pytest.mark.parametrize("kind", [bool, str, int])
def test_class_and_number(kind: type, rng: np.random.Generator) -> None:
    side = rng.integers(0, 2, 1_000)
    far = side * 100.0 + rng.normal(size=1_000)
    for pair in ((side.astype(kind), far), (far, side.astype(kind))):
        assert mutual_information(*pair).value == pytest.approx(log(2), abs=0.02)
    assert mutual_information(side.astype(kind), rng.normal(size=1_000)).value == pytest.approx(0, abs=0.06)


def test_two_classes(rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 3, (2, 2_000))
    assert mutual_information(x, x).value == pytest.approx(log(3), abs=0.01)
    assert mutual_information(x, y).value == pytest.approx(0, abs=0.006)


def test_discrete_entropy_is_corrected() -> None:
    found = [discrete_entropy(np.random.default_rng(seed).integers(0, 8, 60)).value for seed in range(100)]
    assert np.mean(found) == pytest.approx(log(8), abs=0.015)
    with pytest.warns(EstimatorWarning, match="class of their own"):
        discrete_entropy(np.arange(50))


def test_permutation_p_values(rng: np.random.Generator) -> None:
    x = rng.normal(size=200)
    assert mutual_information(x, x + rng.normal(size=200), permutations=49).p_value == 0.02
    values = [mutual_information(x, rng.normal(size=200), permutations=19).p_value for _ in range(20)]
    assert 0.3 < np.mean(values) < 0.75


def test_permutations_of_groups() -> None:
    """What patients share is dependence of rows, not of what is measured on them."""
    rng = np.random.default_rng(3)
    patient = np.repeat(np.arange(12), 20)
    x, y = rng.normal(size=(2, 12))[:, patient] + 0.3 * rng.normal(size=(2, 240))
    rows = mutual_information(x, y, permutations=49).p_value
    groups = mutual_information(x, y, permutations=49, groups=patient).p_value
    assert rows < 0.05 < groups
    with pytest.raises(ValueError, match="different sizes"):
        mutual_information(x[1:], y[1:], permutations=9, groups=patient[1:])
    with pytest.raises(ValueError, match="not given"):
        mutual_information(x, y, permutations=9, shuffle="within")


def test_matrix_of_a_frame(rng: np.random.Generator) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    frame["c"] += 3 * frame["a"]
    found = mutual_information_matrix(frame, permutations=19)
    assert list(found.value.columns) == list(found.value.index) == ["a", "b", "c"]
    assert found.value.loc["a", "c"] == mutual_information(frame["a"], frame["c"]).value > 0.5
    assert found.p_value.loc["a", "b"] > found.p_value.loc["a", "c"]
    assert np.isinf(np.diag(mutual_information_matrix(frame.to_numpy()).value)).all()


def test_correlation_scale(rng: np.random.Generator) -> None:
    x = rng.normal(size=2_000)
    y = 0.6 * x + 0.8 * rng.normal(size=2_000)
    assert mutual_information(x, y).correlation == pytest.approx(0.6, abs=0.05)
    assert mutual_information(x, y, base=2).correlation == pytest.approx(mutual_information(x, y).correlation)


def test_best_features(rng: np.random.Generator) -> None:
    from sklearn.feature_selection import SelectKBest

    y = rng.integers(0, 2, 300)
    x = rng.normal(size=(300, 4))
    x[:, 2] += 2 * y
    assert SelectKBest(information_scores, k=1).fit(x, y).get_support().tolist() == [False, False, True, False]
