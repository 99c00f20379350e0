"""The standard error of mutual information by "auto", which subtracts the error on simulated samples."""

import numpy as np
import pytest

from entropix.estimators import mutual_information


def test_standard_error_knows_that_what_is_subtracted_follows_the_correlations() -> None:
    """With four strongly correlated pairs of variables the nearest neighbours see half of the information.

    The other half comes from the correlations of the sample, which vary too: the spread of the neighbours' part
    alone would be a third of that of the estimate.
    """
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(100, 4))
        found.append(mutual_information(x, 0.9 * x + (1 - 0.9**2) ** 0.5 * rng.normal(size=(100, 4))))
    spread = np.std([one.value for one in found], ddof=1)
    assert np.mean([one.stderr for one in found]) == pytest.approx(spread, rel=0.35)


def test_standard_error_counts_the_noise_of_the_simulated_samples(rng: np.random.Generator) -> None:
    """Eight samples as noisy as the estimate add an eighth to its variance."""
    x, y = rng.normal(size=(2, 500))
    auto, plain = (mutual_information(x, y, method=method).stderr for method in ("auto", "ksg1"))
    assert auto / plain == pytest.approx((9 / 8) ** 0.5, rel=0.015)
