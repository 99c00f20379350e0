"""What a point of the curve is measured on, and how uncertain its visibility is."""

from statistics import mean, stdev

import pytest
import torch

from entropix.selection import Curve


class Constant:
    """Images are codes, which are counted, and every reconstruction is black: errors are the images' own energies."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return x

    def decode_prefix(self, z: torch.Tensor, d: int) -> torch.Tensor:
        return torch.zeros_like(z)


def gains(n: int, seed: int) -> torch.Tensor:
    """Images (n, 1, 16, 16) of one noise pattern each, times gains from 1 to 1.1."""
    generator = torch.Generator().manual_seed(seed)
    gain = 1 + 0.1 * torch.rand(n, 1, 1, 1, generator=generator)
    return gain * torch.randn(n, 1, 16, 16, generator=generator)


@pytest.mark.parametrize(("n", "draws"), [(60, 4), (250, 4), (500, 2)])
def test_every_change_is_drawn_several_times(n: int, draws: int) -> None:
    train, held_out = gains(80, seed=0), gains(n, seed=1)
    model = Constant()
    Curve(train, held_out, seed=0).measure(model, (1,))
    encoded = torch.cat(model.seen)
    assert len(encoded) == 80 + n * (1 + 4 * draws)  # three strengths of bumps, and patches
    assert len(encoded.flatten(1).unique(dim=0)) == len(encoded)  # and every draw is another


def test_standard_error_of_the_visibility_is_its_spread_over_held_out_sets() -> None:
    """The changed image and the normal one are the same but for the change: much of their spread cancels.

    An image of high energy is above most normal images once it is changed, and is below few changed images as it is.
    """
    train = gains(80, seed=0)
    points = [Curve(train, gains(60, seed), seed).measure(Constant(), (1,))[0] for seed in range(1, 41)]
    found = stdev(point.visibility for point in points)
    assert mean(point.visibility_stderr for point in points) == pytest.approx(found, rel=0.3)  # 40 sets tell it to 11 %
    # taken for independent, the ranks of the images alone would spread by 0.29 each
    assert found < 0.3 * 0.29 / 60**0.5
