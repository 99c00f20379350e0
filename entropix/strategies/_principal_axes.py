"""An autoencoder's code turned to principal axes: the ones along which it carries the most of the image.

Which latents carry information is a question to the decoder as much as to the code: a latent that varies
widely may move no pixel. To first order a step dz of the code moves the image by |J dz|, so with
G = E[J^T J] distances in the code are distances in the image after z -> G^(1/2) z. The principal axes of the
codes in that metric are ordered by the variance of the image that they carry.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from entropix._utils import in_batches
from entropix.data import ImageView
from entropix.models import BaseAutoencoder

PROBES = 64  # images at which the decoder's response is measured


class PrincipalAxes(BaseAutoencoder):
    """An autoencoder seen through d principal axes of its code; every prefix of them is a code.

    Args:
        model: the wide autoencoder, with codes z (n, wide).
        into: (d, wide); the coordinates of a code are into (z - centre).
        out: (wide, d), the way back from coordinates to z - centre.
        centre: (wide,), the mean of the codes.
    """

    into: Tensor
    out: Tensor
    centre: Tensor

    def __init__(self, model: Any, into: Tensor, out: Tensor, centre: Tensor) -> None:
        super().__init__()
        self.model: Any = model
        self.latent_dim = len(into)
        for name, value in (("into", into), ("out", out), ("centre", centre)):
            self.register_buffer(name, value)

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (n, latent_dim) of inputs x."""
        codes: Tensor = self.model.encode(x)
        return (codes - self.centre) @ self.into.T

    def decode(self, z: Tensor) -> Tensor:
        """Return the reconstructions of codes z (n, latent_dim)."""
        images: Tensor = self.model.decode(z @ self.out.T + self.centre)
        return images

    def cut(self, d: int) -> PrincipalAxes:
        """Return the same autoencoder seen through the first d axes only."""
        return PrincipalAxes(self.model, self.into[:d].clone(), self.out[:, :d].clone(), self.centre.clone())


def to_principal_axes(model: Any, images: Tensor | ImageView) -> PrincipalAxes:
    """Return `model` with its code turned to its principal axes on normal images (n, c, h, w).

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
    return PrincipalAxes(model, (axes.T @ metric).to(codes), (inverse @ axes).to(codes), centre)


def _response(model: Any, codes: Tensor) -> Tensor:
    """G = E[J^T J] (wide, wide) float64, J the slope of the decoder over one standard deviation of each latent."""
    steps = torch.diag(codes.std(0).clamp(min=torch.finfo(codes.dtype).tiny))
    total = codes.new_zeros(codes.shape[1], codes.shape[1], dtype=torch.float64)
    for code in codes:
        both = in_batches(model.decode, torch.cat([code + steps / 2, code - steps / 2])).flatten(1).double()
        slope = (both[: len(steps)] - both[len(steps) :]) / steps.diagonal()[:, None]
        total += slope @ slope.T
    return total / len(codes)
