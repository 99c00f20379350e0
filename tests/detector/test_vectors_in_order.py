"""Vectors in an order of their own: sorted files are the usual ones."""

import numpy as np

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
