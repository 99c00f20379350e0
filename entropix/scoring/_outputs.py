"""What the networks make of inputs, computed once: all scores, terms and heat maps are taken from it.

Nothing here is learnt but the networks, so the models of the score, which are fitted to `Outputs` of normal inputs, are
fitted again and again without another look at an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from entropix._utils import Rows, each_batch
from entropix.models import BaseAutoencoder
from entropix.scoring._foreign_network import ForeignNetwork
from entropix.scoring._nuisance import explain

FINEST = 64  # the blur is this part of the width
LEAST_CONTRAST = 1e-3  # smallest one of a reconstruction: an eighth of a grey level of 256, on [-1, 1] images


class Outputs(NamedTuple):
    """The outputs of the networks for n inputs in the units of the model; of vectors the last five are (n, 0).

    Attributes:
        x: inputs (n, ...), images on [-1, 1].
        x_hat: their reconstructions (n, ...).
        z: their codes (n, d).
        residual: x - x_hat, of images without what position and exposure explain, blurred: (n, ...).
        nuisance: (n, 8), what position and exposure explain (`_nuisance`).
        edges: length of the gradient of x_hat, averaged over 3 x 3 pixels and blurred: (n, c, s, s).
        contrast: standard deviation of each x_hat, its gain: (n, 1, 1, 1).
        activations: (n, q) `statistics` of the activations of the encoder and of the foreign-content network.
        foreign: (n, s, s) P(foreign | x) of every place.
    """

    x: Tensor
    x_hat: Tensor
    z: Tensor
    residual: Tensor
    nuisance: Tensor
    edges: Tensor
    contrast: Tensor
    activations: Tensor
    foreign: Tensor

    @classmethod
    def of(cls, x: Tensor, model: BaseAutoencoder, network: ForeignNetwork | None) -> Outputs:
        """Return the outputs for a batch of inputs x.

        Args:
            x: inputs (n, ...).
            model: the trained autoencoder.
            network: the trained foreign-content network of images; None for vectors.
        """
        z, stages = model.encode_in_stages(x)
        x_hat = model.decode(z)
        if network is None:
            return cls(x, x_hat, z, x - x_hat, *[z.new_empty(len(z), 0)] * 5)
        seen = network.activations(x)
        logits = F.interpolate(network.last(seen[-1]), size=x.shape[-2:], mode="bilinear", align_corners=False)
        return cls.of_images(x, x_hat, z, statistics([*stages, *seen]), torch.sigmoid(logits[:, 0]))

    @classmethod
    def of_images(cls, x: Tensor, x_hat: Tensor, z: Tensor, activations: Tensor, foreign: Tensor) -> Outputs:
        """Return the outputs for images, what follows from x and x_hat (both (n, c, s, s)) added."""
        rest, nuisance = explain(x - x_hat, x_hat)
        contrast = x_hat.flatten(1).std(1).clamp(min=LEAST_CONTRAST).reshape(-1, 1, 1, 1)
        dx, dy = F.pad(x_hat.diff(dim=-1), (0, 1)), F.pad(x_hat.diff(dim=-2), (0, 0, 0, 1))
        edges = F.avg_pool2d(torch.hypot(dx, dy), 3, stride=1, padding=1, count_include_pad=False)
        return cls(x, x_hat, z, blur(rest), nuisance, blur(edges), contrast, activations, foreign)

    @classmethod
    @torch.no_grad()
    def of_all(cls, x: Rows, model: BaseAutoencoder, network: ForeignNetwork | None) -> Outputs:
        """Return the outputs for any number of inputs, computed in batches."""
        return cls.joined(*each_batch(partial(cls.of, model=model, network=network), x))

    @classmethod
    def joined(cls, *parts: Outputs) -> Outputs:
        """Return the outputs for the inputs of all `parts`."""
        return cls(*map(torch.cat, zip(*parts, strict=True)))

    def rows(self, chosen: Tensor) -> Outputs:
        """Return the outputs for some of the inputs, given by indices or a mask."""
        return Outputs(*(one[chosen] for one in self))


def blur(x: Tensor) -> Tensor:
    """Return images (n, c, s, s) blurred by a sixty-fourth of their width (a Gaussian, over the pixels inside).

    It is two small matrix products, which on a CPU are many times faster than a separable convolution.
    """
    size = x.shape[-1]
    pixel = torch.arange(size, device=x.device, dtype=x.dtype)
    distance = ((pixel[:, None] - pixel) * (FINEST / size)).abs()
    # weights beyond are too small to add in float32; denormal ones make the products a hundred times slower
    weights = torch.exp(-0.5 * distance.square()) * (distance < 6)
    weights = weights / weights.sum(1, keepdim=True)
    return weights @ (x @ weights.T)


def statistics(activations: Sequence[Tensor]) -> Tensor:
    """Return mean and standard deviation over places of every channel of activations (n, channels, h, w): (n, q)."""
    means = [stage.mean((2, 3)) for stage in activations]
    spreads = [
        (stage - mean[..., None, None]).square().mean((2, 3)).sqrt()
        for stage, mean in zip(activations, means, strict=True)
    ]
    return torch.cat([*means, *spreads], 1)
