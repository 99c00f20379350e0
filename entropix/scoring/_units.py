"""Nats of an energy: what a mean of squares is worth as a code length, given what it is on normal images."""

from __future__ import annotations

import torch
from torch import Tensor


def degrees_of_freedom(energies: Tensor) -> Tensor:
    """Return nu, (k,), of the energies (n, k) of n normal images.

    An energy relative to its mean behaves like a chi-square of nu degrees of freedom divided by nu (Satterthwaite
    1946), whose Gaussian code length is nu r / 2 nats. One in which normal images differ much from each other has few
    degrees of freedom, and little weight. nu is taken from the spread of ln r, which a few odd images do not dominate
    as they do that of r: var(ln r) is trigamma(nu / 2), inverted by Newton (Smyth 2004).
    """
    positive = energies.double().clamp(min=torch.finfo(energies.dtype).tiny)
    variance = positive.log().var(0).clamp(min=1e-6)  # bounded for energies without any spread
    half = 0.5 + 1 / variance
    for _ in range(10):
        value = torch.polygamma(1, half)
        half = half + value * (1 - value / variance) / torch.polygamma(2, half)
    return (2 * half).to(energies.dtype)
