"""intrinsic_dimension: truth, correction, scales, awkward input."""

import numpy as np
import pytest
from truths import curved_manifold, linear_manifold

from entropix.estimators import EstimatorWarning, intrinsic_dimension
from entropix.estimators._normal_reference import expected_log_radii, normal_bias

CHANCE = pytest.mark.filterwarnings("ignore:rows that follow one another:entropix.estimators.EstimatorWarning")
FAR = pytest.mark.filterwarnings("ignore:a dimension of:entropix.estimators.EstimatorWarning")


@FAR
@CHANCE  # of one sample in a hundred
@pytest.mark.parametrize("make", [linear_manifold, curved_manifold])
@pytest.mark.parametrize("method", ["twonn", "mle"])
@pytest.mark.parametrize(("m", "tolerance"), [(2, 0.1), (8, 0.1), (16, 0.1), (32, 0.2)])
def test_manifolds(make: object, method: str, m: int, tolerance: float) -> None:
    x = make(m, 2_000, np.random.default_rng(0))[0]
    result = intrinsic_dimension(x, method)
    assert result.value == pytest.approx(m, rel=tolerance)


@pytest.mark.parametrize("make", ["cube", "sphere", "equicorrelated"])
def test_other_densities_than_the_calibration(make: str) -> None:
    rng, m = np.random.default_rng(0), 16
    x = rng.normal(size=(2_000, m + 1))
    x = {
        "cube": lambda: rng.uniform(size=(2_000, m)),
        "sphere": lambda: x / np.linalg.norm(x, axis=1, keepdims=True),
        "equicorrelated": lambda: x[:, :m] + 2 * x[:, m:],
    }[make]()
    assert intrinsic_dimension(x, "mle").value == pytest.approx(m, rel=0.15)


@FAR
@CHANCE
def test_correction_matters_and_can_be_left_out() -> None:
    x = np.random.default_rng(0).normal(size=(2_000, 32))
    result = intrinsic_dimension(x)
    plain = intrinsic_dimension(x, corrected=False)
    assert result.raw == plain.value
    assert plain.value < 0.8 * 32


def test_twonn_formula(rng: np.random.Generator) -> None:
    from scipy.spatial import cKDTree

    x = rng.normal(size=(300, 2))
    distances = cKDTree(x).query(x, 3)[0]
    expected = 1 / np.log(distances[:, 2] / distances[:, 1]).mean()
    assert intrinsic_dimension(x, corrected=False).value == pytest.approx(expected, rel=1e-12)


def test_scan_sees_noise_around_a_curve() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 2_000)
    x = np.c_[np.cos(angle), np.sin(angle)] + 0.005 * rng.normal(size=(2_000, 2))
    scan = intrinsic_dimension(x, scales=(2, 64)).scan
    assert scan[2][0] > 1.5
    assert scan[64][0] < 1.25


def test_local_values_tell_a_line_from_a_plane() -> None:
    rng = np.random.default_rng(0)
    line = np.c_[rng.uniform(size=300), np.zeros(300)]
    plane = rng.uniform((0, 5), (1, 6), size=(300, 2))
    with pytest.warns(EstimatorWarning, match="rows that follow one another"):
        local = intrinsic_dimension(np.concatenate([line, plane]), "mle", k=20, local=True).local
    assert local.shape == (600,)
    assert local[:300].mean() < 1.3
    assert local[300:].mean() > 1.6


def test_interval_holds_the_truth() -> None:
    held = []
    for seed in range(60):
        result = intrinsic_dimension(np.random.default_rng(seed).normal(size=(500, 5)))
        held.append(result.ci[0] <= 5 <= result.ci[1])
    assert np.mean(held) >= 0.88


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"method": "pca"}, "method is 'pca'"),
        ({"k": 5}, "two neighbours"),
        ({"method": "mle", "k": 1}, "at least 2"),
        ({"method": "mle", "k": 50}, "k = 50 neighbours need more than 50"),
        ({"scales": (1,)}, "scales"),
    ],
)
def test_bad_options(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        intrinsic_dimension(np.random.default_rng(0).normal(size=(50, 3)), **kwargs)


def test_too_few_points_for_the_dimension_is_said() -> None:
    with pytest.warns(EstimatorWarning, match="beyond what 50 points resolve"):
        intrinsic_dimension(np.random.default_rng(0).normal(size=(50, 40)))


def test_a_lattice_has_no_dimension() -> None:
    x = np.eye(30)
    with pytest.raises(ValueError, match="equally far away"):
        intrinsic_dimension(x)


@pytest.mark.parametrize("d", [1, 4, 16])
def test_reference_distances_against_simulation(d: int) -> None:
    from scipy.spatial import cKDTree

    rng, n, k = np.random.default_rng(0), 400, 5
    logs = [np.log(cKDTree(x).query(x, k + 1)[0][:, 1:]).mean(0) for x in rng.normal(size=(40, n, d))]
    np.testing.assert_allclose(expected_log_radii(d, n, k), np.mean(logs, 0), atol=5 * np.std(logs) / 40**0.5 + 0.002)


def test_reference_bias_vanishes_in_one_dimension_and_not_in_many() -> None:
    assert abs(normal_bias(1, 2_000, 5)) < 0.005
    assert normal_bias(32, 2_000, 5) == pytest.approx(3.14, abs=0.05)


def lines_and_planes(rng: np.random.Generator, patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of patients far from one another, half of whom vary along a line, half in a plane."""
    x = rng.normal(size=(patients, 30, 3)) * [1, 1, 0]
    x[rng.random(patients) < 0.5, :, 1] = 0
    x += 100 * rng.normal(size=(patients, 1, 3))
    return x.reshape(-1, 3), np.repeat(np.arange(patients), 30)


@pytest.mark.filterwarnings("ignore::entropix.estimators.EstimatorWarning")
def test_groups_widen_the_interval() -> None:
    """Most of the error is which patients there are."""
    truth = 1.367  # of 2,000 patients
    held = {False: 0, True: 0}
    for seed in range(20):
        x, patient = lines_and_planes(np.random.default_rng(seed), 20)
        for known in held:
            low, high = intrinsic_dimension(x, "mle", corrected=False, groups=patient if known else None).ci
            held[known] += low <= truth <= high
    assert held[False] < 14
    assert held[True] >= 17
