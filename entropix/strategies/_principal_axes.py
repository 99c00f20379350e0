"""An autoencoder's code turned to principal axes: the ones along which it carries the most of the image.

Which latents carry information is a question to the decoder as much as to the code: a latent that varies
widely may move no pixel. To first order a step dz of the code moves the image by |J dz|, so with
G = E[J^T J] distances in the code are distances in the image after z -> G^(1/2) z. The principal axes of the
codes in that metric are ordered by the variance of the image that they carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from entropix._utils import in_batches
from entropix.data import ImageView
from entropix.models import Autoencoder
from entropix.strategies._adapted import CANDIDATES

PROBES = 64  # images at which the decoder's response is measured


class PrincipalAxes(nn.Module):
    """An autoencoder seen through d principal axes of its code; every prefix of them is a code.

    Args:
        model: the wide autoencoder.
        into: (d, wide), out: (wide, d), centre: (wide,): z -> into (z - centre) and back.
        dims: the prefixes to be measured.
    """

    into: Tensor
    out: Tensor
    centre: Tensor

    def __init__(self, model: Any, into: Tensor, out: Tensor, centre: Tensor, dims: Sequence[int]) -> None:
        super().__init__()
        self.model: Any = model
        self.dims, self.latent_dim = tuple(dims), len(into)
        for name, value in (("into", into), ("out", out), ("centre", centre)):
            self.register_buffer(name, value)

    def encode(self, x: Tensor) -> Tensor:
        """Codes (n, latent_dim)."""
        codes: Tensor = self.model.encode(x)
        return (codes - self.centre) @ self.into.T

    def decode(self, z: Tensor) -> Tensor:
        """Images of codes (n, latent_dim)."""
        images: Tensor = self.model.decode(z @ self.out.T + self.centre)
        return images

    def decode_prefix(self, z: Tensor, d: int) -> Tensor:
        """Images of the first d latents of codes (n, latent_dim), the others at their mean."""
        return self.decode(z * (torch.arange(z.shape[1], device=z.device) < d))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def cut(self, d: int) -> PrincipalAxes:
        """The first d axes only."""
        return PrincipalAxes(self.model, self.into[:d].clone(), self.out[:, :d].clone(), self.centre.clone(), (d,))


def to_principal_axes(model: Any, images: Tensor | ImageView) -> PrincipalAxes:
    """`model` with its code turned to the axes of normal images (n, c, h, w).

    Raises:
        ValueError: the codes are not (n, latent_dim).
    """
    codes = in_batches(model.encode, images)
    if codes.ndim != 2:
        raise ValueError(f"encode returned shape {tuple(codes.shape)}; expected codes (n, latent_dim)")
    centre = codes.mean(0)
    values, vectors = torch.linalg.eigh(_response(model, codes[:PROBES]))
    # a latent without any effect on the image has no axis to be measured along
    root = values.clamp(min=float(values[-1]) * 1e-6).sqrt()
    metric, inverse = (vectors * root) @ vectors.T, (vectors / root) @ vectors.T
    covariance = torch.cov(((codes - centre).double() @ metric).T).reshape(metric.shape)
    axes = torch.linalg.eigh(covariance)[1].flip(1)  # (wide, wide), descending variance
    wide = codes.shape[1]
    dims = sorted({d for d in CANDIDATES if d < wide} | {wide})
    return PrincipalAxes(model, (axes.T @ metric).to(codes), (inverse @ axes).to(codes), centre, dims)


def _response(model: Any, codes: Tensor) -> Tensor:
    """G = E[J^T J] (wide, wide) float64, J the slope of the decoder over one standard deviation of each latent."""
    steps = torch.diag(codes.std(0).clamp(min=torch.finfo(codes.dtype).tiny))
    total = codes.new_zeros(codes.shape[1], codes.shape[1], dtype=torch.float64)
    for code in codes:
        both = in_batches(model.decode, torch.cat([code + steps / 2, code - steps / 2])).flatten(1).double()
        slope = (both[: len(steps)] - both[len(steps) :]) / steps.diagonal()[:, None]
        total += slope @ slope.T
    return total / len(codes)


def fold(rotated: PrincipalAxes) -> Autoencoder:
    """The paper's autoencoder that computes the same as a rotated, cut one: the axes go into its linear layers."""
    wide: Autoencoder = rotated.model
    narrow = Autoencoder(rotated.latent_dim, wide.channels, wide.image_size).to(rotated.centre.device)
    state = {name: value.clone() for name, value in wide.state_dict().items()}
    state["to_code.weight"] = rotated.into @ wide.to_code.weight
    state["to_code.bias"] = rotated.into @ (wide.to_code.bias - rotated.centre)
    state["from_code.weight"] = wide.from_code.weight @ rotated.out
    state["from_code.bias"] = wide.from_code.bias + wide.from_code.weight @ rotated.centre
    narrow.load_state_dict(state)
    return narrow.eval()
