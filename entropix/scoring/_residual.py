"""The conditional model of the residual, -ln p(x | z): how large is it, given what normal images leave over?

The squared error asks how large the residual is. Most of it, on normal images too, is edges that are a little
off and texture that no code holds, and it grows with the contrast of the image. Four steps take that out:

1. Position and exposure. What a small shift, turn or scaling and another exposure explain of the residual (`_nuisance`)
   is one component of it, eight numbers w, which counts by its Mahalanobis distance w' C^-1 w / 8 with the second
   moments C of held-out normal images. Under a normal model of residuals the two parts add up: -ln p(residual) is that
   of w plus that of the rest. The next steps deal with the rest.
2. Resolution. What normal images leave over is mostly fine detail: the residual and its predictors are blurred by a
   sixty-fourth of the width. (These two steps need no fit: `_outputs`.)
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
from typing import NamedTuple

import torch
from torch import Tensor

from entropix._utils import INFERENCE_BATCH
from entropix.scoring._nuisance import NUISANCES
from entropix.scoring._outputs import LEAST_CONTRAST, Outputs
from entropix.scoring._units import degrees_of_freedom

AVERAGE_IMAGES = 100  # images with the average residual that the place map is shrunk by
LEAST_SCALE = LEAST_CONTRAST / 10  # smallest scale of a residual: a place without any divides by it
LEAST_WEIGHT = 1e-6  # of a place: an image without any foreign one has a mean too


class Surprise(NamedTuple):
    """The surprise of residuals in nats.

    Attributes:
        total: (n,).
        places: where it is, (n, s, s); of vectors by feature, (n, p). Its sum is `total`, but for position and
            exposure, which concern the image as a whole and have no place in it.
    """

    total: Tensor
    places: Tensor


@dataclass(frozen=True)
class ResidualModel:
    """The conditional model of the residual of images, made by `ResidualModel.fit`.

    Attributes:
        place: (c, s, s) root mean square of residual / sd(x^) on normal images, shrunk.
        coefficients: (2,) a and b.
        precision: (8, 8) C^-1, of the weights of position and exposure.
        energy: (2,) mean energy of normal images: of the rest of the residual, and of position and exposure.
        freedom: (2,) nu, their degrees of freedom.
    """

    place: Tensor
    coefficients: Tensor
    precision: Tensor
    energy: Tensor
    freedom: Tensor

    @classmethod
    def fit(cls, known: Outputs) -> ResidualModel:
        """Fit the model to held-out normal images."""
        n, square = len(known.x), (known.residual / known.contrast).square().mean(0)
        place = ((n * square + AVERAGE_IMAGES * square.mean()) / (n + AVERAGE_IMAGES)).sqrt()
        coefficients = _least_squares(known.edges, place * known.contrast, known.residual.abs())
        unit = place.new_ones(2)
        model = cls(place, coefficients, _precision(known.nuisance), unit, unit)
        places, distance = model.energies(known)
        energies = torch.stack([places.sum((1, 2)), _left_out(distance)], 1).clamp(min=torch.finfo(place.dtype).tiny)
        return replace(model, energy=energies.mean(0), freedom=degrees_of_freedom(energies))

    def energies(self, of: Outputs) -> tuple[Tensor, Tensor]:
        """Return what every place adds to the weighted mean of (residual / scale)^2, (n, s, s), and the energy of
        position and exposure, (n,)."""
        a, b = self.coefficients
        scale = a * of.edges + b * self.place * of.contrast + LEAST_SCALE
        weights = of.foreign + LEAST_WEIGHT
        places = (of.residual / scale).square().mean(1) * weights / weights.sum((1, 2), keepdim=True)
        return places, ((of.nuisance @ self.precision) * of.nuisance).mean(1)

    def surprise(self, of: Outputs) -> Surprise:
        """Return the surprise of images: in all, and where."""
        places, distance = self.energies(of)
        half = self.freedom / 2
        places = half[0] * (places / self.energy[0])  # the energy of perfect reconstructions is next to nothing
        return Surprise(places.sum((1, 2)) + half[1] * (distance / self.energy[1]), places)


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
    sums = torch.zeros(2, 3, dtype=torch.float64, device=target.device)
    for parts in zip(*(part.split(INFERENCE_BATCH) for part in (first, second, target)), strict=True):
        rows = torch.stack([part.flatten().double() for part in parts])
        sums += rows[:2] @ rows.T
    gram, right = sums[:, :2], sums[:, 2]
    found = torch.linalg.solve(gram + 1e-12 * gram.trace() * torch.eye(2, device=gram.device), right)
    if found.min() < 0:  # then the best lies where one is zero: where the other alone explains more
        alone = right / gram.diagonal()
        found = alone * (alone * right == (alone * right).max())
    return found.to(target.dtype)
