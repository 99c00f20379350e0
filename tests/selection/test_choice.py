"""How far below the most visible candidate a smaller one may lie and still be chosen."""

import pytest
import torch

from entropix.estimators import Entropy
from entropix.selection import CurvePoint, choose, longest_needed

H = Entropy(12.0, 0.1, (11.8, 12.2), 5, 100, 100, 0, "manifold", dimension=3.0)


@pytest.mark.parametrize(("standard_errors", "chosen"), [(0.9, 1), (1.1, 2)])
def test_a_smaller_code_may_be_one_standard_error_less_visible(standard_errors: float, chosen: int) -> None:
    n, stderr = 100, 0.001
    generator = torch.Generator().manual_seed(0)
    # images differ far more from each other than the candidates do, which the paired difference does not see
    images = 0.7 + 0.2 * torch.randn(n, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, generator=generator, dtype=torch.float64)
    gap = stderr * (n**0.5 * (noise - noise.mean()) / noise.std() + standard_errors)
    # d = 1 lacks more than a nat of the limit, so that both are candidates
    curve = [
        CurvePoint(d, entropy, 0.0, 0.0, 0.0, visibility.mean().item(), 0.0, visibility)
        for d, entropy, visibility in ((1, 8.0, images - gap), (2, 10.0, images))
    ]
    assert choose(curve, H).latent_dim == chosen


def test_the_reason_names_longer_codes_that_show_more() -> None:
    """A table that rises further and a reason that says "most visible" would contradict each other."""
    points = ((1, 8.0, 0.7), (3, 10.0, 0.8), (48, 10.5, 0.9), (128, 10.2, 0.85))
    curve = [CurvePoint(d, h, 0.0, 0.0, 0.0, v, 0.0, torch.full((10,), v)) for d, h, v in points]
    choice = choose(curve, H)
    assert choice.latent_dim == longest_needed({d: h for d, h, _ in points}) == 3
    assert "longer codes are out, although it is more visible there (d = 48, 0.900), because" in choice.reason
    assert "longer codes" not in choose(curve[:2], H).reason
