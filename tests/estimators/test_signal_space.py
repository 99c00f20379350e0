"""Which principal components of images are above the noise."""

import pytest
import torch

from entropix.estimators import SignalSpace

N, SIDE = 400, 16


def images(singular: list[float]) -> torch.Tensor:
    """White noise of standard deviation 1, and patterns that appear at about these singular values times sqrt(n).

    One of singular value x sqrt(n) appears at y = sqrt((x + 1 / x) (x + beta / x)), beta = p / n (Gavish and Donoho,
    2014, equation 2); here x is found for a given y.
    """
    beta = SIDE**2 / N
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(N, SIDE**2, generator=generator)
    left = torch.linalg.qr(torch.randn(N, len(singular), generator=generator))[0]
    right = torch.linalg.qr(torch.randn(SIDE**2, len(singular), generator=generator))[0]
    left = torch.linalg.qr(left - left.mean(0))[0]
    y = torch.tensor(singular)
    middle = y.square() - 1 - beta
    x = ((middle + (middle.square() - 4 * beta).sqrt()) / 2).sqrt()
    return (noise + left * x * N**0.5 @ right.T).reshape(N, 1, SIDE, SIDE)


def test_components_above_the_optimal_threshold_are_kept() -> None:
    """It is 2.08 sqrt(n) here, for noise of a known level (equation 3).

    What lies between it and the edge of the noise, 1.80 sqrt(n), costs more than it brings.
    """
    beta = SIDE**2 / N
    threshold = (2 * (beta + 1) + 8 * beta / (beta + 1 + (beta**2 + 14 * beta + 1) ** 0.5)) ** 0.5
    assert threshold == pytest.approx(2.08, abs=0.01)
    found = [SignalSpace.from_images(images([share * threshold] * 3)).axes.shape[1] for share in (0.94, 1.06, 1.5)]
    assert found == [1, 3, 3]  # at least one is kept
