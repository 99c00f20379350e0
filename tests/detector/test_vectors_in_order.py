"""Vectors in an order of their own (sorted files are the usual ones), and vectors that are copies."""

import numpy as np
import pytest

import entropix
from entropix.exceptions import FitWarning


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


def test_few_distinct_rows_are_named() -> None:
    rows = np.random.default_rng(0).normal(size=(14, 4))
    with pytest.raises(ValueError, match=r"samples leave \d+ distinct ones to train on; 6 are needed: give more rows"):
        entropix.fit(np.r_[np.repeat(rows[:1], 30, 0), rows[:5]], epochs=1, progress=False)
    with pytest.warns(FitWarning, match=r"44 rows are too few for d, .*: \d+ distinct ones to train on"):
        entropix.fit(np.r_[np.repeat(rows[:1], 30, 0), rows], latent_dim=1, alpha=0.2, epochs=1, progress=False)
