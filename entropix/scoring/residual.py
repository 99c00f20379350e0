"""The conditional model of the residual, -ln p(x | z): how large is it, given what normal images leave over?

The squared error asks how large the residual is. Most of it, on normal images too, is edges that are a little
off and texture that no code holds, and it grows with the contrast of the image. Three steps take that out:

1. Expectation. At every pixel a scale is predicted from the reconstruction alone,
   a |gradient of x^| + b place sd(x^): edges, and the usual residual at this place in units of the image's
   contrast. Both terms are proportional to the contrast (gain), so the ratio residual / scale is free of it.
   a, b >= 0 by least squares on |residual| of held-out normal images. The place map is known from few of them:
   it is drawn to its mean as if a hundred more had been seen, each with the average residual everywhere.
2. Resolution. Both sides are blurred to octaves sigma = 1, 2, 4, ... pixels, each with a scale of its own.
   What normal images leave over is mostly fine; a lesion of any size stands out at the octave that matches it
   (a matched filter).
3. Units. Which size to look for is unknown, so every octave counts, by its own code length: the energy r of an
   octave relative to its mean on normal images behaves like a chi-square of nu = 2 / var(r) degrees of freedom
   divided by nu (Satterthwaite 1946), whose Gaussian code length is nu r / 2 nats. An octave in which normal images
   differ much from each other has few degrees of freedom and little say.

Only this quadratic term counts. The others of a Gaussian's -ln p, the logarithms of the scales, say how much
contrast and edges the reconstruction has, and not how well it fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from entropix.ops import reconstruction_error

LEAST_CONTRAST = 1e-3  # of a reconstruction: an eighth of a grey level of 256, on [-1, 1] images
AVERAGE_IMAGES = 100  # that the place map is shrunk by
LEAST_SCALE = 1e-4  # of a residual: a tenth of that, so that a place without any residual divides by something


@dataclass(frozen=True)
class ResidualModel:
    """Fitted by `ResidualModel.fit`.

    Attributes:
        place: (octaves, c, s, s) root mean square of residual / sd(x^) on normal images, per octave, shrunk.
        coefficients: (octaves, 2) a and b.
        energy: (octaves,) mean energy of normal images.
        freedom: (octaves,) nu, effective degrees of freedom.
    """

    place: Tensor
    coefficients: Tensor
    energy: Tensor
    freedom: Tensor

    @classmethod
    def fit(cls, x: Tensor, x_hat: Tensor) -> ResidualModel:
        """From held-out normal images and their reconstructions, both (n, c, s, s) on [-1, 1]."""
        sigmas = octaves(x.shape[-1])
        contrast = _contrast(x_hat)
        gradient = _gradient(x_hat)
        places, coefficients = [], []
        for sigma in sigmas:
            residual = blur(x - x_hat, sigma)
            square = (residual / contrast).square().mean(0)
            place = ((len(x) * square + AVERAGE_IMAGES * square.mean()) / (len(x) + AVERAGE_IMAGES)).sqrt()
            edges = blur(gradient, sigma)
            coefficients.append(_least_squares(edges, place * contrast, residual.abs()))
            places.append(place)
        one = x.new_ones(len(sigmas))
        energies = cls(torch.stack(places), torch.stack(coefficients), one, one).energies(x, x_hat)
        energy = energies.mean(0).clamp(min=torch.finfo(x.dtype).tiny)
        freedom = 2 / (energies / energy).var(0).clamp(min=1e-6)  # a bound for residuals without any spread
        return cls(torch.stack(places), torch.stack(coefficients), energy, freedom)

    def energies(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Mean of (residual / scale)^2 per octave: (n, octaves)."""
        return torch.stack([reconstruction_error(*octave) for octave in self._octaves(x, x_hat)], 1)

    def surprise(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Nats (n,) of images and reconstructions (n, c, s, s) on [-1, 1]."""
        return (self.energies(x, x_hat) / self.energy) @ self.freedom / 2

    def surprise_map(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Nats per pixel (n, s, s): their sum over an image is its `surprise`."""
        nats = self.freedom / (2 * x[0].numel()) / self.energy
        total = torch.zeros_like(x)
        for share, octave in zip(nats, self._octaves(x, x_hat), strict=True):
            total += share * reconstruction_error(*octave, map=True)[1]
        return total.sum(1)

    def _octaves(self, x: Tensor, x_hat: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Blurred images, blurred reconstructions and weights scale^-2, per octave."""
        contrast, gradient = _contrast(x_hat), _gradient(x_hat)
        for sigma, place, (a, b) in zip(octaves(x.shape[-1]), self.place, self.coefficients.tolist(), strict=True):
            scale = a * blur(gradient, sigma) + b * place * contrast + LEAST_SCALE
            yield blur(x, sigma), blur(x_hat, sigma), scale.square().reciprocal()


def octaves(size: int) -> list[int]:
    """Standard deviations of the blurs in pixels: 1, 2, 4, ... up to an eighth of the image."""
    return [2**i for i in range(max(1, (size // 8).bit_length()))]


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of images (..., s, s) by `sigma` pixels; at the border the weights inside sum to one.

    As two small matrix products, which on a CPU are many times faster than a separable convolution.
    """
    position = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
    weights = torch.exp(-0.5 * ((position[:, None] - position) / sigma).square())
    weights = weights / weights.sum(1, keepdim=True)
    return weights @ x @ weights.T


def _contrast(x_hat: Tensor) -> Tensor:
    """Standard deviation of each reconstruction, (n, 1, 1, 1): its gain."""
    return x_hat.flatten(1).std(1).clamp(min=LEAST_CONTRAST).reshape(-1, 1, 1, 1)


def _gradient(x_hat: Tensor) -> Tensor:
    """Length of the forward-difference gradient, averaged over 3 x 3 pixels: (n, c, s, s)."""
    dx = F.pad(x_hat.diff(dim=-1), (0, 1))
    dy = F.pad(x_hat.diff(dim=-2), (0, 0, 0, 1))
    return F.avg_pool2d(torch.hypot(dx, dy), 3, stride=1, padding=1, count_include_pad=False)


def _least_squares(first: Tensor, second: Tensor, target: Tensor) -> Tensor:
    """Non-negative (a, b) minimising |a first + b second - target|^2, from the 2 x 2 normal equations."""
    from scipy.optimize import nnls

    columns = torch.stack([first.flatten(), second.flatten()]).double()
    gram = columns @ columns.T
    factor = torch.linalg.cholesky(gram + 1e-12 * gram.trace() * torch.eye(2, device=gram.device))
    right = torch.linalg.solve_triangular(factor, (columns @ target.flatten().double())[:, None], upper=False)
    solution, _ = nnls(factor.T.cpu().numpy(), right[:, 0].cpu().numpy())
    return torch.tensor(solution, dtype=target.dtype, device=target.device)
