"""Vectors in an order of their own (sorted files are the usual ones), and vectors that are copies."""

import numpy as np
import pytest

import entropix


def test_codes_of_sorted_vectors_are_in_random_order() -> None:
    """The first of the training rows stand for all in the intrinsic dimension and in the density of codes."""
    rng = np.random.default_rng(0)
    along = np.sort(rng.normal(size=300))
    rows = along[:, None] * rng.normal(size=4) + 0.01 * rng.normal(size=(300, 4))
    detector = entropix.fit(rows, latent_dim=1, epochs=20, device="cpu", progress=False)
    codes = detector.latent_model_.codes[:, 0].numpy()
    assert len(codes) == 240
    assert np.ptp(codes) > 2  # they follow the rows
    assert abs(np.corrcoef(codes, np.arange(len(codes)))[0, 1]) < 0.3


@pytest.mark.parametrize("distinct", [11, 14])
def test_few_distinct_rows_are_named(distinct: int) -> None:
    rows = np.random.default_rng(0).normal(size=(distinct, 4))
    with pytest.raises(ValueError, match=r"samples leave \d+ distinct ones to train on; 11 are needed: give more rows"):
        entropix.fit(np.r_[np.repeat(rows[:1], 30, 0), rows], epochs=1, progress=False)
