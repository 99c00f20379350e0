"""Corruption of the input: what the code need not carry, the training takes out.

Proposition 2 of Cai et al. (MICCAI 2024) asks for a code that carries nothing of what is foreign to normal images. An
autoencoder that gets its images with foreign content, and has to return them without, has no reason to pass it on:
I(delta; Z | X_n) falls at every latent dimension. Coarse noise is content that no detail of an image resembles
(Kascenas et al. 2022); its strength differs from image to image, and is nothing for some.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from entropix.training import _parallel as parallel

STRENGTH = 0.3  # largest standard deviation of the noise, on images from -1 to 1
CELL = 8  # pixels from one value of the noise to the next

Corruption = Callable[[Tensor, torch.Generator], Tensor]
"""What an autoencoder is given in place of images (n, c, h, w); the generator is on the CPU."""


def unchanged(x: Tensor, _: torch.Generator) -> Tensor:
    """Return inputs x as they are."""
    return x


def corrupted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return images x (n, c, s, s) on [-1, 1] with smooth coarse noise of random strength added."""
    n, cells = len(x) * parallel.processes(), max(2, x.shape[-1] // CELL)
    noise = torch.randn(n, x.shape[1], cells, cells, generator=generator)
    noise *= STRENGTH * torch.rand(n, 1, 1, 1, generator=generator)
    noise = parallel.share(noise).to(x)
    return x + F.interpolate(noise, size=x.shape[-2:], mode="bicubic", align_corners=False)
