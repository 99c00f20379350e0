"""The part of a residual that position and exposure explain.

No two acquisitions of one body lie alike or are exposed alike, and a code of few numbers follows neither exactly. To
first order such a difference leaves A w: the columns of A are the reconstruction's own contrast (exposure: an offset
and a gain) and its derivatives down and across, each also times the place (position: shift, turn, scale and shear). w
is found by least squares; its numbers have no unit, or are in pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

NUISANCES = 8
LEAST_COLUMN = 1e-3  # root mean square of a column that counts: an eighth of a grey level of 256, on [-1, 1] images
RIDGE = 1e-5  # for columns of unit length, some of which may be alike, as at an edge that runs straight across


class Explained(NamedTuple):
    """A residual without what position and exposure explain.

    Attributes:
        rest: (n, c, s, s), what is left of the residual.
        weights: (n, 8), the w of what is explained.
    """

    rest: Tensor
    weights: Tensor


def explain(residual: Tensor, x_hat: Tensor) -> Explained:
    """Explain residuals by position and exposure, given the reconstructions x_hat; both are (n, c, s, s)."""
    columns = _columns(x_hat).flatten(2)
    gram = columns @ columns.mT
    length = (gram.diagonal(dim1=1, dim2=2) / columns.shape[2]).sqrt().clamp(min=LEAST_COLUMN)[..., None]
    length = length * columns.shape[2] ** 0.5
    system = gram / (length * length.mT) + RIDGE * torch.eye(NUISANCES, dtype=gram.dtype, device=gram.device)
    weights = _solve(system, columns @ residual.flatten(1)[..., None] / length) / length
    rest = residual - (weights.mT @ columns).reshape(residual.shape)
    return Explained(rest, weights[..., 0])


def _columns(x_hat: Tensor) -> Tensor:
    """The columns of A, (n, 8, c, s, s)."""
    size = x_hat.shape[-1]
    place = torch.linspace(-1, 1, size, dtype=x_hat.dtype, device=x_hat.device)
    gain = x_hat - x_hat.mean((1, 2, 3), keepdim=True)
    offset = gain.square().mean((1, 2, 3), keepdim=True).sqrt().expand_as(gain)
    across = F.pad((x_hat[..., 2:] - x_hat[..., :-2]) / 2, (1, 1))
    down = F.pad((x_hat[..., 2:, :] - x_hat[..., :-2, :]) / 2, (0, 0, 1, 1))
    position = [slope * factor for slope in (across, down) for factor in (1, place, place[:, None])]
    return torch.stack([offset, gain, *position], 1)


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Solutions (n, k, 1) of systems with positive definite matrices (n, k, k), in plain operators that ONNX has."""
    system = torch.cat([matrix, right], 2)
    for i in range(matrix.shape[1]):
        row = system[:, i : i + 1] / system[:, i : i + 1, i : i + 1]
        cleared = system - system[:, :, i : i + 1] * row
        system = torch.cat([cleared[:, :i], row, cleared[:, i + 1 :]], 1)
    return system[:, :, -1:]
