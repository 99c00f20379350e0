"""Foreign content without abnormal images: held-out normal images, changed in ways no anatomy asks for.

Two families, neither tuned to a kind of lesion: *bumps*, smooth spots of random place, size and sign, with sizes
spread evenly on a logarithmic scale from a twentieth to four tenths of the image's width; and *patches*, squares
exchanged between two normal images. Strengths are in units of the images' own standard deviation.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

BUMP_SIZE = (0.05, 0.4)  # standard deviation as a share of the width
BUMP_STRENGTHS = (0.25, 0.5, 1.0)  # in standard deviations of the images
PATCH_SIZE = (0.1, 0.5)  # side as a share of the width


def perturbations(x: Tensor, draws: int, seed: int) -> Iterator[Tensor]:
    """Yield changed images: `draws` times bumps of each strength and patches, on images x; all are (n, c, s, s)."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(draws):
        for strength in BUMP_STRENGTHS:
            yield x + strength * x.std() * _bumps(x, generator)
        yield _exchange(x, generator)


def _bumps(x: Tensor, generator: torch.Generator) -> Tensor:
    """One Gaussian of height +1 or -1 per image, (n, 1, s, s)."""
    n, side = len(x), x.shape[-1]
    line = (torch.arange(side) + 0.5) / side
    centre_x, centre_y = torch.rand(2, n, 1, generator=generator)
    sigma = _log_uniform(n, BUMP_SIZE, generator)[:, None]
    sign = torch.randint(2, (n, 1, 1), generator=generator) * 2.0 - 1
    across = torch.exp(-0.5 * ((line - centre_x) / sigma).square())
    down = torch.exp(-0.5 * ((line - centre_y) / sigma).square())
    return (sign * down[:, :, None] * across[:, None, :])[:, None].to(x)


def _exchange(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each image with a square of another one in the same place."""
    n, side = len(x), x.shape[-1]
    # a shift of a random order has no fixed point: no image is its own donor
    order = torch.randperm(n, generator=generator)
    donor = torch.empty(n, dtype=torch.long)
    donor[order] = order.roll(1)
    length = (_log_uniform(n, PATCH_SIZE, generator) * side).round().clamp(min=1)
    corner = torch.rand(2, n, generator=generator) * (side - length)
    line = torch.arange(side)
    inside = [(line >= c[:, None].floor()) & (line < (c.floor() + length)[:, None]) for c in corner]
    square = (inside[0][:, :, None] & inside[1][:, None, :])[:, None].to(x.device)
    return torch.where(square, x[donor.to(x.device)], x)


def _log_uniform(n: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    low, high = bounds
    return low * (high / low) ** torch.rand(n, generator=generator)
