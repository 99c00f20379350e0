"""The conditional model of the residual, -ln p(x | z): how large is it, given what normal images leave over?

The squared error asks how large the residual is. Most of it, on normal images too, is edges that are a little
off and texture that no code holds, and it grows with the contrast of the image. Four steps take that out:

1. Position and exposure. What a small shift, turn or scaling and another exposure explain of the residual (`_nuisance`)
   is one component of it, eight numbers w, which counts by its Mahalanobis distance w' C^-1 w / 8 with the second
   moments C of held-out normal images. Under a normal model of residuals the two parts add up: -ln p(residual) is that
   of w plus that of the rest. The next steps deal with the rest.
2. Resolution. What normal images leave over is mostly fine detail: the residual and its predictors are blurred by a
   sixty-fourth of the width.
3. Expectation. At every pixel a scale is predicted from the reconstruction alone, a |gradient of x^| + b place sd(x^):
   edges, and the usual residual at this place in units of the image's contrast. Both terms are proportional to the
   contrast (gain), so the ratio residual / scale is free of it. a, b >= 0 by least squares on |residual| of held-out
   normal images. The place map is known from few of them: it is shrunk towards its mean as if a hundred more had been
   seen, each with the average residual everywhere.
4. Attention. Where a network that learnt to find foreign content (`_foreign_network`) sees some, a residual is to
   count, and elsewhere less: (residual / scale)^2 is averaged over the image with the weights P(foreign | x).

Both components count by their code length (`_units`). Only this quadratic term counts. The others of a Gaussian's
-ln p, the logarithms of the scales, say how much contrast and edges the reconstruction has, and not how well it fits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from entropix._utils import INFERENCE_BATCH
from entropix.scoring._foreign_network import ForeignNetwork
from entropix.scoring._nuisance import NUISANCES, explain
from entropix.scoring._units import degrees_of_freedom

AVERAGE_IMAGES = 100  # images with the average residual that the place map is shrunk by
FINEST = 64  # the blur is this part of the width
LEAST_CONTRAST = 1e-3  # smallest one of a reconstruction: an eighth of a grey level of 256, on [-1, 1] images
LEAST_WEIGHT = 1e-6  # of a place: an image without any foreign one has a mean too
LEAST_SCALE = 1e-4  # smallest scale of a residual, a tenth of `LEAST_CONTRAST`: a place without any divides by it


@dataclass(frozen=True)
class ResidualModel:
    """The conditional model of the residual of images, made by `ResidualModel.fit`.

    Attributes:
        place: (c, s, s) root mean square of residual / sd(x^) on normal images, shrunk.
        coefficients: (2,) a and b.
        precision: (8, 8) C^-1, of the weights of position and exposure.
        energy: (2,) mean energy of normal images: of the rest of the residual, and of position and exposure.
        freedom: (2,) nu, their degrees of freedom.
        network: says where an image is foreign.
    """

    place: Tensor
    coefficients: Tensor
    precision: Tensor
    energy: Tensor
    freedom: Tensor
    network: ForeignNetwork

    @classmethod
    def fit(cls, x: Tensor, x_hat: Tensor, network: ForeignNetwork) -> ResidualModel:
        """Fit the model to held-out normal images.

        Args:
            x: images (n, c, s, s) on [-1, 1].
            x_hat: their reconstructions (n, c, s, s).
            network: the trained foreign-content network.
        """
        batches = list(zip(x.split(INFERENCE_BATCH), x_hat.split(INFERENCE_BATCH), strict=True))
        parts = [explain(one - hat, hat) for one, hat in batches]
        rest, weights = (torch.cat(part) for part in zip(*parts, strict=True))
        residual, gradient, contrast = blur(rest), blur(gradient_of(x_hat)), contrast_of(x_hat)
        square = (residual / contrast).square().mean(0)
        place = ((len(x) * square + AVERAGE_IMAGES * square.mean()) / (len(x) + AVERAGE_IMAGES)).sqrt()
        coefficients = _least_squares(gradient, place * contrast, residual.abs())
        unit = x.new_ones(2)
        model = cls(place, coefficients, _precision(weights), unit, unit, network)
        energies = torch.cat([model.energies(one, hat) for one, hat in batches])
        energies[:, 1] = _left_out(energies[:, 1])
        energies.clamp_(min=torch.finfo(x.dtype).tiny)
        return replace(model, energy=energies.mean(0), freedom=degrees_of_freedom(energies))

    def energies(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return the weighted mean of (residual / scale)^2, and the energy of position and exposure: (n, 2)."""
        rest, weights = explain(x - x_hat, x_hat)
        distance = ((weights @ self.precision) * weights).mean(1)
        return torch.stack([self._places(x, rest, x_hat).sum((1, 2)), distance], 1)

    def activations(self, x: Tensor) -> list[Tensor]:
        """Return what the network makes of images x, a list of (n, channels, h, w)."""
        return self.network.activations(x)

    def surprise(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return the surprise in nats, (n,), of images x with reconstructions x_hat, both (n, c, s, s) on [-1, 1]."""
        return (self.energies(x, x_hat) / self.energy) @ self.freedom / 2

    def surprise_map(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return nats per pixel, (n, s, s): their sum over an image is its `surprise` but for position and exposure.

        These two concern the image as a whole and have no place in it.
        """
        return self.freedom[0] / (2 * self.energy[0]) * self._places(x, explain(x - x_hat, x_hat).rest, x_hat)

    def _places(self, x: Tensor, rest: Tensor, x_hat: Tensor) -> Tensor:
        """What every place adds to the weighted mean of (rest of the residual / scale)^2, (n, s, s)."""
        a, b = self.coefficients
        scale = a * blur(gradient_of(x_hat)) + b * self.place * contrast_of(x_hat) + LEAST_SCALE
        squares = (blur(rest) / scale).square().mean(1)
        logits = F.interpolate(self.network(x), size=x.shape[-2:], mode="bilinear", align_corners=False)
        weights = torch.sigmoid(logits[:, 0]) + LEAST_WEIGHT
        return squares * weights / weights.sum((1, 2), keepdim=True)


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


def contrast_of(x_hat: Tensor) -> Tensor:
    """Return the standard deviation of each reconstruction (n, c, s, s), its gain: (n, 1, 1, 1)."""
    return x_hat.flatten(1).std(1).clamp(min=LEAST_CONTRAST).reshape(-1, 1, 1, 1)


def gradient_of(x_hat: Tensor) -> Tensor:
    """Return the length of the forward-difference gradient, averaged over 3 x 3 pixels: (n, c, s, s)."""
    dx = F.pad(x_hat.diff(dim=-1), (0, 1))
    dy = F.pad(x_hat.diff(dim=-2), (0, 0, 0, 1))
    return F.avg_pool2d(torch.hypot(dx, dy), 3, stride=1, padding=1, count_include_pad=False)


def _precision(weights: Tensor) -> Tensor:
    """Inverse second moments (8, 8) of weights (n, 8)."""
    moments = (weights.T @ weights).double() / len(weights)
    moments += LEAST_SCALE**2 * torch.eye(NUISANCES, dtype=moments.dtype, device=moments.device)
    return torch.linalg.inv(moments).to(weights.dtype).contiguous()  # the layout of a loaded one: equal to the last bit


def _left_out(energy: Tensor) -> Tensor:
    """Energies (n,) of position and exposure, each with its own image left out of C (Sherman, Morrison 1950).

    C has 36 numbers: where images are few, each fits C closely, because C was computed from it too.
    """
    n = len(energy)
    leverage = (energy * NUISANCES / n).clamp(max=1 - 1 / n)
    return (n - 1) / NUISANCES * leverage / (1 - leverage)


def _least_squares(first: Tensor, second: Tensor, target: Tensor) -> Tensor:
    """Non-negative (a, b) minimising |a first + b second - target|^2, all (n, ...), from the 2 x 2 normal equations."""
    from scipy.optimize import nnls

    gram = torch.zeros(2, 2, dtype=torch.float64, device=target.device)
    right = torch.zeros(2, 1, dtype=torch.float64, device=target.device)
    for parts in zip(*(part.split(INFERENCE_BATCH) for part in (first, second, target)), strict=True):
        *columns, wanted = (part.flatten().double() for part in parts)
        gram += torch.stack(columns) @ torch.stack(columns).T
        right += torch.stack(columns) @ wanted[:, None]
    factor = torch.linalg.cholesky(gram + 1e-12 * gram.trace() * torch.eye(2, device=gram.device))
    right = torch.linalg.solve_triangular(factor, right, upper=False)
    solution, _ = nnls(factor.T.cpu().numpy(), right[:, 0].cpu().numpy())
    return torch.tensor(solution, dtype=target.dtype, device=target.device)
