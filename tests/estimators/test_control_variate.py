"""The standard error of mutual information by "auto", which subtracts the error on simulated samples."""

from types import ModuleType

import numpy as np
import pytest
import torch

from entropix.estimators import _controlled, _controlled_divergence, mutual_information
from entropix.estimators._controlled import Left


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning")
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


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning")
@pytest.mark.parametrize("rho", [0.0, 0.95])
def test_standard_error_knows_what_rows_share(rho: float) -> None:
    """Neighbours' contributions alone spread a third too much at no dependence, a fifth too little at much."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=200)
        found.append(mutual_information(x, rho * x + (1 - rho**2) ** 0.5 * rng.normal(size=200)))
    spread = np.std([one.value for one in found], ddof=1)
    assert np.median([one.stderr for one in found]) == pytest.approx(spread, rel=0.35)


@pytest.mark.parametrize("module", [_controlled, _controlled_divergence])
def test_simulated_samples_differ_from_data_to_data(module: ModuleType, rng: np.random.Generator) -> None:
    """With the same ones for all data of a size, no average over many subjects would be rid of their noise."""
    data = [[torch.from_numpy(rng.normal(size=(300, 1))) for _ in range(2)] for _ in range(20)]
    seeds = {module.seed_of(x, y) for x, y in data}
    assert len(seeds) == len(data)
    order = torch.randperm(300)
    x, y = data[0]
    assert module.seed_of(x[order], y[order]) in seeds
    x, y = x.round(decimals=1), y.round(decimals=1)  # ties, which sorting leaves in another order on another device
    assert module.seed_of(x[order], y[order]) == module.seed_of(x, y)


def test_error_that_may_be_left_counts_as_far_as_it_could_be_seen() -> None:
    """Uniform noise, n = 1,000: 72 % of the intervals held the truth while an error below its noise counted nothing."""
    assert Left(-0.05, 0.016).possible(0.3, 0.024) == 0.05  # clear
    assert Left(-0.01, 0.016).possible(0.3, 0.024) == pytest.approx(np.hypot(0.01, 0.016))
    assert Left(-0.01, 0.016).possible(0.005, 0.024) == 0.005
    assert Left(-0.01, 0.016).possible(-0.01, 0.024) == 0
    assert Left(0.0, 1.0).possible(0.3, 0.1) == pytest.approx(0.01)  # what can't be seen makes no interval without use
    assert Left(0.0, 0.0).possible(0.3, 0.1) == 0


def test_what_is_taken_out_is_told() -> None:
    left = Left(-0.05, 0.024)
    assert left.share > 0
    assert "depends on the number of neighbours" in left.notes(0.02, left.share)[0]
    assert not left.notes(0.06, left.share)
