"""The conditional model of the residual, -ln p(x | z): how large is it, given what normal images leave over?

The squared error asks how large the residual is. Most of it, on normal images too, is edges that are a little
off and texture that no code holds, and it grows with the contrast of the image. Four steps take that out:

1. Position and exposure. What a small shift, turn or scaling and another exposure explain of the residual (`_nuisance`)
   is one component of it, eight numbers w, which counts by its Mahalanobis distance w' C^-1 w / 8 with the second
   moments C of held-out normal images. Under a normal model of residuals the two parts add up: -ln p(residual) is that
   of w plus that of the rest. The next steps deal with the rest.
2. Expectation. At every pixel a scale is predicted from the reconstruction alone,
   factor (a |gradient of x^| + b place sd(x^)): edges, and the usual residual at this place in units of the image's
   contrast, times what a network has learnt of the rest (`_scale_network`). Both terms are proportional to the contrast
   (gain), and the factor is free of it, so the ratio residual / scale is too. a, b >= 0 by least squares on
   |residual| / factor of held-out normal images. The place map is known from few of them: it is shrunk towards its mean
   as if a hundred more had been seen, each with the average residual everywhere.
3. Resolution. Both the residual and its predictors are blurred to levels sigma = 1/2, 1, 2, 4, ... pixels, each with a
   scale of its own. What normal images leave over is mostly fine detail; a lesion of any size stands out at the level
   that matches it (a matched filter). What is blurred by sigma is sampled every sigma / 2 pixels (at least one), which
   loses nothing.
4. Units. Which size to look for is unknown, so every level counts, by its own code length: the energy r of a
   level relative to its mean on normal images behaves like a chi-square of nu degrees of freedom divided by nu
   (Satterthwaite 1946), whose Gaussian code length is nu r / 2 nats, and so does w. A component in which normal images
   differ much from each other has few degrees of freedom and little weight. nu is taken from the spread of ln r, which
   a few odd images do not dominate as they do the spread of r.

Only this quadratic term counts. The others of a Gaussian's -ln p, the logarithms of the scales, say how much
contrast and edges the reconstruction has, and not how well it fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from entropix._utils import INFERENCE_BATCH
from entropix.scoring._nuisance import NUISANCES, Explained, explain
from entropix.scoring._scale_network import ScaleNetwork
from entropix.scoring._scale_space import contrast_of, gradient_of, scale_space

AVERAGE_IMAGES = 100  # images with the average residual that the place map is shrunk by
LEAST_SCALE = 1e-4  # smallest scale of a residual, a tenth of `LEAST_CONTRAST`: a place without any divides by it


@dataclass(frozen=True)
class ResidualModel:
    """The conditional model of the residual of images, made by `ResidualModel.fit`.

    The positions of an image are the samples of all its levels, one after the other.

    Attributes:
        place: (c, positions) root mean square of residual / (factor sd(x^)) on normal images, shrunk.
        coefficients: (levels, 2) a and b.
        precision: (8, 8) C^-1, of the weights of position and exposure.
        energy: (levels + 1,) mean energy of normal images; the last is that of position and exposure.
        freedom: (levels + 1,) nu, effective degrees of freedom.
        network: gives the factor; None: the factor is one.
    """

    place: Tensor
    coefficients: Tensor
    precision: Tensor
    energy: Tensor
    freedom: Tensor
    network: ScaleNetwork | None = None

    @classmethod
    def fit(cls, x: Tensor, x_hat: Tensor, network: ScaleNetwork | None = None) -> ResidualModel:
        """Fit the model to held-out normal images.

        Args:
            x: images (n, c, s, s) on [-1, 1].
            x_hat: their reconstructions (n, c, s, s).
            network: gives the factor (`entropix.scoring.learn_scale` trains it); None: the factor is one.
        """
        hats = x_hat.split(INFERENCE_BATCH)
        parts = [explain(one - hat, hat) for one, hat in zip(x.split(INFERENCE_BATCH), hats, strict=True)]
        rest, weights = (torch.cat(part) for part in zip(*parts, strict=True))
        gradient, contrast = gradient_of(x_hat), contrast_of(x_hat)
        given = zip(*(part.split(INFERENCE_BATCH) for part in (x_hat, gradient, contrast)), strict=True)
        factors = [torch.cat(part) for part in zip(*(_factors(network, *one) for one in given), strict=True)]
        places, coefficients = [], []
        for level, factor in zip(scale_space(x.shape[-1]), factors, strict=True):
            residual = level.sample(rest) / factor
            square = (residual / contrast).square().mean(0)
            place = ((len(x) * square + AVERAGE_IMAGES * square.mean()) / (len(x) + AVERAGE_IMAGES)).sqrt()
            coefficients.append(_least_squares(level.sample(gradient), place * contrast, residual.abs()))
            places.append(place)
        unit = x.new_ones(len(places) + 1)
        known = torch.cat(places, 1), torch.stack(coefficients), _precision(weights)
        model = cls(*known, unit, unit, network)
        energies = torch.cat([model._energies(part, hat) for part, hat in zip(parts, hats, strict=True)])
        energies[:, -1] = _left_out(energies[:, -1])
        energies.clamp_(min=torch.finfo(x.dtype).tiny)
        return cls(*known, energies.mean(0), _freedom(energies), network)

    def energies(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return the mean of (residual / scale)^2 per level, and that of position and exposure: (n, levels + 1)."""
        return self._energies(explain(x - x_hat, x_hat), x_hat)

    def surprise(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return the surprise in nats, (n,), of images x with reconstructions x_hat, both (n, c, s, s) on [-1, 1]."""
        return (self.energies(x, x_hat) / self.energy) @ self.freedom / 2

    def surprise_map(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return nats per pixel, (n, s, s): their sum over an image is its `surprise` but for position and exposure.

        These two concern the image as a whole and have no place in it.
        """
        nats = self.freedom[:-1] / (2 * x[0].numel()) / self.energy[:-1]
        size = x.shape[-1]
        total = torch.zeros_like(x[:, 0])
        squares = self.squares(explain(x - x_hat, x_hat).rest, x_hat)
        for share, level, square in zip(nats, scale_space(size), squares, strict=True):
            # linear interpolation of cells by a whole factor keeps their mean
            side = size // level.stride
            cells = square.sum(1).unflatten(1, (side, side))[:, None]
            total += share * F.interpolate(cells, size=(size, size), mode="bilinear")[:, 0]
        return total

    def squares(self, rest: Tensor, x_hat: Tensor) -> list[Tensor]:
        """Return (rest of the residual / scale)^2 at the samples of each level, (n, c, samples)."""
        gradient, contrast = gradient_of(x_hat), contrast_of(x_hat)
        scales = scale_space(x_hat.shape[-1])
        places = self.place.split([level.samples for level in scales], 1)
        fitted = zip(
            scales, places, self.coefficients.tolist(), _factors(self.network, x_hat, gradient, contrast), strict=True
        )
        squares = []
        for level, place, (a, b), factor in fitted:
            scale = (a * level.sample(gradient) + b * place * contrast) * factor + LEAST_SCALE
            squares.append((level.sample(rest) / scale).square())
        return squares

    def _energies(self, parts: Explained, x_hat: Tensor) -> Tensor:
        squares = [square.mean((1, 2)) for square in self.squares(parts.rest, x_hat)]
        distance = ((parts.weights @ self.precision) * parts.weights).mean(1)
        return torch.stack([*squares, distance], 1)


@torch.no_grad()
def _factors(network: ScaleNetwork | None, x_hat: Tensor, gradient: Tensor, contrast: Tensor) -> list[Tensor]:
    """Factors of the scale at the samples of each level, (n, c, samples); ones (n, 1, 1) without a network."""
    if network is None:
        return [x_hat.new_ones(len(x_hat), 1, 1)] * len(scale_space(x_hat.shape[-1]))
    return [factor.exp() for factor in network(x_hat, gradient, contrast)]


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


def _freedom(energies: Tensor) -> Tensor:
    """nu (k,) of positive energies (n, k): var(ln r) is trigamma(nu / 2), inverted by Newton (Smyth 2004)."""
    variance = energies.double().log().var(0).clamp(min=1e-6)  # bounded for residuals without any spread
    half = 0.5 + 1 / variance
    for _ in range(10):
        value = torch.polygamma(1, half)
        half = half + value * (1 - value / variance) / torch.polygamma(2, half)
    return (2 * half).to(energies.dtype)


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
