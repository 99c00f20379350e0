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
   (a matched filter). What is blurred by sigma is sampled every sigma / 2 pixels, which loses nothing.
3. Units. Which size to look for is unknown, so every octave counts, by its own code length: the energy r of an
   octave relative to its mean on normal images behaves like a chi-square of nu = 2 / var(r) degrees of freedom
   divided by nu (Satterthwaite 1946), whose Gaussian code length is nu r / 2 nats. An octave in which normal images
   differ much from each other has few degrees of freedom and little say.

Only this quadratic term counts. The others of a Gaussian's -ln p, the logarithms of the scales, say how much
contrast and edges the reconstruction has, and not how well it fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_CONTRAST = 1e-3  # of a reconstruction: an eighth of a grey level of 256, on [-1, 1] images
AVERAGE_IMAGES = 100  # that the place map is shrunk by
LEAST_SCALE = 1e-4  # of a residual: a tenth of that, so that a place without any residual divides by something


@dataclass(frozen=True)
class ResidualModel:
    """Fitted by `ResidualModel.fit`. Samples of all octaves of an image, one after the other, are its positions.

    Attributes:
        place: (c, positions) root mean square of residual / sd(x^) on normal images, shrunk.
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
        contrast = _contrast(x_hat)
        places, coefficients = [], []
        for octave in octaves(x.shape[-1]):
            residual = octave.sample(x - x_hat)
            square = (residual / contrast).square().mean(0)
            place = ((len(x) * square + AVERAGE_IMAGES * square.mean()) / (len(x) + AVERAGE_IMAGES)).sqrt()
            edges = octave.sample(_gradient(x_hat))
            coefficients.append(_least_squares(edges, place * contrast, residual.abs()))
            places.append(place)
        one = x.new_ones(len(places))
        model = cls(torch.cat(places, 1), torch.stack(coefficients), one, one)
        energies = model.energies(x, x_hat)
        energy = energies.mean(0).clamp(min=torch.finfo(x.dtype).tiny)
        freedom = 2 / (energies / energy).var(0).clamp(min=1e-6)  # a bound for residuals without any spread
        return cls(model.place, model.coefficients, energy, freedom)

    def energies(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Mean of (residual / scale)^2 per octave: (n, octaves)."""
        return torch.stack([square.mean((1, 2)) for square in self._squares(x, x_hat)], 1)

    def surprise(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Nats (n,) of images and reconstructions (n, c, s, s) on [-1, 1]."""
        return (self.energies(x, x_hat) / self.energy) @ self.freedom / 2

    def surprise_map(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Nats per pixel (n, s, s): their sum over an image is its `surprise`."""
        nats = self.freedom / (2 * x[0].numel()) / self.energy
        size = x.shape[-1]
        total = torch.zeros_like(x[:, 0])
        for share, octave, square in zip(nats, octaves(size), self._squares(x, x_hat), strict=True):
            # linear interpolation of cells by a whole factor keeps their mean
            side = size // octave.stride
            cells = square.sum(1).unflatten(1, (side, side))[:, None]
            total += share * F.interpolate(cells, size=(size, size), mode="bilinear")[:, 0]
        return total

    def _squares(self, x: Tensor, x_hat: Tensor) -> list[Tensor]:
        """(residual / scale)^2 of each octave, (n, c, samples)."""
        residual, gradient, contrast = x - x_hat, _gradient(x_hat), _contrast(x_hat)
        scales = octaves(x.shape[-1])
        places = self.place.split([octave.samples for octave in scales], 1)
        squares = []
        for octave, place, (a, b) in zip(scales, places, self.coefficients.tolist(), strict=True):
            scale = a * octave.sample(gradient) + b * place * contrast + LEAST_SCALE
            squares.append((octave.sample(residual) / scale).square())
        return squares


class Octave(NamedTuple):
    """Images of size x size pixels blurred by `sigma` and sampled every `stride` pixels."""

    size: int
    sigma: int

    @property
    def stride(self) -> int:
        return max(1, self.sigma // 2)

    @property
    def samples(self) -> int:
        """Number of samples of an image."""
        return (self.size // self.stride) ** 2

    def sample(self, x: Tensor) -> Tensor:
        """Samples (n, c, samples) of images (n, c, s, s); at the border the weights inside sum to one.

        As two small matrix products, which on a CPU are many times faster than a separable convolution.
        """
        pixel = torch.arange(self.size, device=x.device, dtype=x.dtype)
        centre = pixel[:: self.stride] + (self.stride - 1) / 2
        distance = ((centre[:, None] - pixel) / self.sigma).abs()
        # beyond what float32 can add; left in, denormal weights make the products a hundred times slower
        weights = torch.exp(-0.5 * distance.square()) * (distance < 6)
        weights = weights / weights.sum(1, keepdim=True)
        return (weights @ (x @ weights.T)).flatten(2)


def octaves(size: int) -> list[Octave]:
    """Blurs by 1, 2, 4, ... pixels, up to an eighth of the image."""
    return [Octave(size, 2**i) for i in range(max(1, (size // 8).bit_length()))]


def _contrast(x_hat: Tensor) -> Tensor:
    """Standard deviation of each reconstruction, (n, 1, 1): its gain."""
    return x_hat.flatten(1).std(1).clamp(min=LEAST_CONTRAST).reshape(-1, 1, 1)


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
