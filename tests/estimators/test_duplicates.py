"""merge_duplicates: what counts as a copy, and what does not."""

import numpy as np
import pytest
import torch

from entropix.estimators import EstimatorWarning, entropy, intrinsic_dimension, merge_duplicates
from entropix.estimators._duplicates import row_hashes


def test_distinct_rows_stay() -> None:
    x = np.random.default_rng(0).normal(size=(500, 4))
    duplicates = merge_duplicates(x)
    assert duplicates.n_merged == 0
    torch.testing.assert_close(duplicates.keep, torch.arange(500))
    torch.testing.assert_close(duplicates.group, torch.arange(500))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_hashes_tell_whole_numbers_apart(kind: torch.dtype) -> None:
    """Their bits are zeros below: a product of such bits has nothing but zeros in all that is kept of it."""
    rows = torch.cartesian_prod(*[torch.arange(32.0, dtype=kind)] * 3)
    assert len(row_hashes(rows).unique()) == len(rows)


def test_exact_copies(rng: np.random.Generator) -> None:
    x = rng.normal(size=(100, 3))
    with pytest.warns(EstimatorWarning, match=r"300 of 400 rows are copies of others \(300 exact, 0 near\)"):
        duplicates = merge_duplicates(np.tile(x, (4, 1)))
    assert duplicates.n_exact == duplicates.n_merged == 300
    torch.testing.assert_close(duplicates.group, torch.arange(100).repeat(4))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_near_copies_at_any_scale(scale: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 20))
    copies = x[:60] + 0.01 * rng.normal(size=(60, 20))
    with pytest.warns(EstimatorWarning, match=r"60 of 460 rows .*\(0 exact, 60 near\)"):
        duplicates = merge_duplicates(scale * np.concatenate([x, copies]))
    torch.testing.assert_close(duplicates.group[400:], torch.arange(60))


def test_false_merges_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(0)
    merged = sum(_count(rng.standard_t(5, size=(200, d))) for d in (1, 3, 8) for _ in range(100))
    assert merged <= 10  # 300 samples, 0.01 expected in each: 10 or fewer in all but 3 of 10,000 runs


def _count(x: np.ndarray) -> int:
    from entropix.estimators._duplicates import find_duplicates

    return find_duplicates(torch.from_numpy(x)).n_merged


def test_zero_has_one_sign() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    x[:2] = [[0.0, 1.0], [-0.0, 1.0]]
    with pytest.warns(EstimatorWarning, match="1 exact"):
        assert merge_duplicates(x).n_merged == 1


def test_half_the_rows_identical() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3))
    x[250:] = x[0]
    with pytest.warns(EstimatorWarning, match="part discrete"), pytest.warns(EstimatorWarning, match="250 of 500 rows"):
        result = entropy(x, method="kl")
    assert result.n_distinct == 250
    assert result.value == pytest.approx(4.257, abs=0.4)


def test_copies_do_not_change_the_dimension() -> None:
    x = np.random.default_rng(0).normal(size=(500, 6))
    alone = intrinsic_dimension(x)
    with pytest.warns(EstimatorWarning, match="copies"):
        doubled = intrinsic_dimension(np.concatenate([x, x[:200]]))
    assert doubled.value == pytest.approx(alone.value, rel=1e-12)


def test_images_of_grey_levels_are_copies_not_ties() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(100, 64)).astype(np.uint8)
    with pytest.warns(EstimatorWarning, match=r"30 of 130 rows are copies of others \(30 exact, 0 near\)"):
        duplicates = merge_duplicates(np.concatenate([images, images[:30]]))
    assert duplicates.spread is None


def test_coarse_grey_levels_are_ties_not_copies() -> None:
    x = np.round(2 * np.random.default_rng(0).normal(size=(500, 2)))
    with pytest.warns(EstimatorWarning, match="quantised"):
        duplicates = merge_duplicates(x)
    assert duplicates.spread is not None
    assert duplicates.n_merged == 0
    assert float((duplicates.spread - torch.from_numpy(x)).abs().max()) <= 0.5


def test_local_values_of_copies_are_those_of_the_original() -> None:
    x = np.random.default_rng(0).normal(size=(100, 2))
    with pytest.warns(EstimatorWarning, match="copies"):
        local = entropy(np.concatenate([x, x[:10]]), method="kl", local=True).local
    np.testing.assert_array_equal(local[100:], local[:10])


def test_one_sample_at_a_time() -> None:
    with pytest.raises(ValueError, match="one sample"):
        merge_duplicates(np.zeros((2, 5, 3)))
