"""Which d is chosen from a curve, and what the reason says."""

import pytest

from entropix.estimators import Entropy
from entropix.selection import CurvePoint, choose

H = Entropy(12.0, 0.1, (11.8, 12.2), 5, 100, 100, 0, "manifold", dimension=3.0)


def curve(*points: tuple[int, float, float]) -> list[CurvePoint]:
    return [CurvePoint(d, h, 0.0, 0.0, 0.0, visibility, 0.0) for d, h, visibility in points]


@pytest.mark.parametrize(("at_4", "chosen"), [(9.5, 4), (9.0, 4), (8.9, 8)])
def test_the_first_within_one_nat_of_the_highest_entropy(at_4: float, chosen: int) -> None:
    points = curve((1, 2.0, 0.6), (2, 8.0, 0.9), (4, at_4, 0.8), (8, 10.0, 0.8), (16, 9.9, 0.7))
    assert choose(points, H).latent_dim == chosen
    assert choose(points[::-1], H) == choose(points, H)


def test_the_reason_says_what_another_d_would_show() -> None:
    reason = choose(curve((1, 8.0, 0.7), (3, 10.0, 0.8), (48, 10.5, 0.9), (128, 10.2, 0.85)), H).reason
    assert "d = 3 is the first" in reason
    assert "its limit, 10.5 nats (H(X_n) = 12.0)" in reason
    assert "visible to 0.800 there, and to 0.900 at most (d = 48)" in reason
