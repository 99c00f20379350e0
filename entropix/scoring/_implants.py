"""Foreign content made from normal images, with a mask of where it is: what the foreign-content network learns to find.

None of it imitates a lesion. Inside a soft blob of random place, size, elongation and edge an image becomes brighter or
darker (coloured, if it has colours), another image turned and moved, rough, blurred or sharpened, or warped: what
self-supervised detectors of anomalies are trained on (Foreign Patch Interpolation, Tan et al. 2020; CutPaste, Li et
al. 2021; Natural Synthetic Anomalies, Schlueter et al. 2022).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

BLOB_SIZE = (0.04, 0.45)  # half axis as a share of the width
STRENGTH = (0.25, 2.0)  # in standard deviations of the image
LEAST_CONTRAST = 0.05  # standard deviation that an image is taken to have at least, on [-1, 1]
LEAST_CHANGE = 0.1  # in standard deviations of the image: a pixel changed by less is not foreign
WARP = 0.12  # displacement of a warp of strength one, as a share of half the width


class Implanted(NamedTuple):
    """Images with foreign content.

    Attributes:
        images: (n, c, s, s).
        mask: (n, 1, s, s), 1 where a pixel is foreign, else 0.
    """

    images: Tensor
    mask: Tensor


def implant(x: Tensor, generator: torch.Generator) -> Implanted:
    """Put foreign content into each of at least two images x, (n, c, s, s) on [-1, 1]; the generator is on the CPU."""
    n, c, s, _ = x.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator).to(x)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(x)

    contrast = x.flatten(1).std(1).clamp(min=LEAST_CONTRAST).reshape(n, 1, 1, 1)
    strength = STRENGTH[0] * (STRENGTH[1] / STRENGTH[0]) ** uniform(n, 1, 1, 1)
    signed = strength * (1 - 2 * (uniform(n, 1, 1, 1) < 0.5).to(x))

    colour = normal(n, c, 1, 1) if c > 1 else x.new_ones(1, 1, 1, 1)
    level = x + signed * contrast * colour / colour.square().mean(1, keepdim=True).sqrt().clamp(min=0.3)
    moved = _moved(x.roll(1, 0), uniform(n, 4))
    rough = x + strength * contrast * _resized(normal(n, c, s // 2, s // 2), s, "bilinear")
    blurred = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    sharper = torch.where(signed > 0, blurred, x + strength * (x - blurred))
    field = WARP * strength * _resized(normal(n, 2, 4, 4), s, "bicubic")
    warped = _sampled(x, _grid(torch.eye(2, 3).expand(n, 2, 3).to(x), x) + field.permute(0, 2, 3, 1))

    contents = torch.stack([level, moved, rough, sharper, warped])
    kind = torch.randint(len(contents), (n,), generator=generator).to(x.device)
    images = torch.lerp(x, contents[kind, torch.arange(n, device=x.device)], _blobs(uniform(n, 7), s))
    changed = (images - x).abs().amax(1, keepdim=True) > LEAST_CHANGE * contrast
    return Implanted(images, changed.to(x))


def _blobs(u: Tensor, s: int) -> Tensor:
    """Soft masks (n, 1, s, s) from numbers u (n, 7) on [0, 1): ellipses, three in ten of them nearly rectangles."""
    x0, y0, size, ratio, angle, softness, corners = u.T[..., None, None]
    line = (torch.arange(s, device=u.device, dtype=u.dtype) + 0.5) / s
    dx, dy = line - x0, line[:, None] - y0
    half_axis = BLOB_SIZE[0] * (BLOB_SIZE[1] / BLOB_SIZE[0]) ** size
    stretch = 2 ** (ratio - 0.5)
    cosine, sine = (math.pi * angle).cos(), (math.pi * angle).sin()
    along = ((dx * cosine + dy * sine) / (half_axis * stretch)).abs()
    across = ((dy * cosine - dx * sine) / (half_axis / stretch)).abs()
    power = torch.where(corners < 0.3, 8.0, 2.0).to(u)
    radius = (along**power + across**power + 1e-9) ** (1 / power)
    return torch.sigmoid((1 - radius) / (0.25 * (0.05 + 0.9 * softness)))[:, None]


def _moved(x: Tensor, u: Tensor) -> Tensor:
    """Images x turned, scaled by 1 / 1.5 to 1 / 0.7 and shifted by up to a quarter, from numbers u (n, 4) on [0, 1)."""
    angle, zoom, shift = 2 * math.pi * u[:, 0], 0.7 + 0.8 * u[:, 1], u[:, 2:, None] - 0.5
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    turn = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    return _sampled(x, _grid(torch.cat([turn, shift], 2), x))


def _grid(matrices: Tensor, x: Tensor) -> Tensor:
    return F.affine_grid(matrices, list(x.shape), align_corners=False)


def _sampled(x: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def _resized(x: Tensor, s: int, mode: str) -> Tensor:
    return F.interpolate(x, size=(s, s), mode=mode, align_corners=False)
