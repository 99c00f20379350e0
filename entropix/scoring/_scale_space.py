"""The scale space of images, and the contrast and gradient that say how large a residual should be."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_CONTRAST = 1e-3  # smallest one of a reconstruction: an eighth of a grey level of 256, on [-1, 1] images


class ScaleLevel(NamedTuple):
    """A level of the scale space: images of size x size pixels blurred by `sigma`, sampled every `stride` pixels."""

    size: int
    sigma: float

    @property
    def stride(self) -> int:
        """Distance of neighbouring samples, in pixels."""
        return max(1, int(self.sigma / 2))

    @property
    def samples(self) -> int:
        """Number of samples of an image."""
        return (self.size // self.stride) ** 2

    def sample(self, x: Tensor) -> Tensor:
        """Return the samples (n, c, samples) of images x (n, c, s, s).

        They are two small matrix products, which on a CPU are many times faster than a separable convolution.
        """
        weights = self.weights(x)
        return (weights @ (x @ weights.T)).flatten(2)

    def weights(self, like: Tensor) -> Tensor:
        """Return the weights (s / stride, s) of a line's pixels in its samples, with device and type of `like`.

        They sum to one, at the border over the pixels inside.
        """
        pixel = torch.arange(self.size, device=like.device, dtype=like.dtype)
        centre = pixel[:: self.stride] + (self.stride - 1) / 2
        distance = ((centre[:, None] - pixel) / self.sigma).abs()
        # weights beyond are too small to add in float32; denormal ones make the products a hundred times slower
        weights = torch.exp(-0.5 * distance.square()) * (distance < 6)
        return weights / weights.sum(1, keepdim=True)


def scale_space(size: int) -> list[ScaleLevel]:
    """Return the levels of size x size images: blurs by 1/2, 1, 2, 4, ... pixels, up to an eighth of the image."""
    return [ScaleLevel(size, 2**i / 2) for i in range(max(1, (size // 8).bit_length()) + 1)]


def contrast_of(x_hat: Tensor) -> Tensor:
    """Return the standard deviation of each reconstruction (n, c, s, s), its gain: (n, 1, 1)."""
    return x_hat.flatten(1).std(1).clamp(min=LEAST_CONTRAST).reshape(-1, 1, 1)


def gradient_of(x_hat: Tensor) -> Tensor:
    """Return the length of the forward-difference gradient, averaged over 3 x 3 pixels: (n, c, s, s)."""
    dx = F.pad(x_hat.diff(dim=-1), (0, 1))
    dy = F.pad(x_hat.diff(dim=-2), (0, 0, 0, 1))
    return F.avg_pool2d(torch.hypot(dx, dy), 3, stride=1, padding=1, count_include_pad=False)
