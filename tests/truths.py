"""Distributions whose entropy is known: shared by benchmarks and tests.

Each family maps (d, n, generator) to a sample and its true differential entropy in nats. For the manifold families d is
the intrinsic dimension, the sample lies in R^256, and the entropy is with respect to d-dimensional volume on it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import trapezoid
from scipy.special import digamma, gammaln, i0e, logsumexp

Array = NDArray[np.float64]
Draw = tuple[Array, float]
AMBIENT = 256


def normal(d: int, n: int, rng: np.random.Generator) -> Draw:
    return rng.normal(size=(n, d)), d / 2 * log(2 * pi * np.e)


def equicorrelated(d: int, n: int, rng: np.random.Generator, rho: float = 0.8) -> Draw:
    x = (1 - rho) ** 0.5 * rng.normal(size=(n, d)) + rho**0.5 * rng.normal(size=(n, 1))
    return x, d / 2 * log(2 * pi * np.e) + 0.5 * ((d - 1) * log(1 - rho) + log(1 + rho * (d - 1)))


def laplace(d: int, n: int, rng: np.random.Generator) -> Draw:
    return rng.laplace(size=(n, d)), d * (1 + log(2))


def student5(d: int, n: int, rng: np.random.Generator) -> Draw:
    return rng.standard_t(5, size=(n, d)), d * float(stats.t(5).entropy())


def multivariate_student5(d: int, n: int, rng: np.random.Generator) -> Draw:
    """One scale for all coordinates: uncorrelated, not independent."""
    x = rng.normal(size=(n, d)) / np.sqrt(rng.chisquare(5, size=(n, 1)) / 5)
    h = gammaln(2.5) - gammaln((5 + d) / 2) + d / 2 * log(5 * pi) + (5 + d) / 2 * (digamma((5 + d) / 2) - digamma(2.5))
    return x, float(h)


def cube(d: int, n: int, rng: np.random.Generator) -> Draw:
    return rng.uniform(size=(n, d)), 0.0


def mixed_sources(d: int, n: int, rng: np.random.Generator) -> Draw:
    """A fixed random linear mixture of independent Laplace and uniform sources."""
    sources = rng.laplace(size=(n, d))
    sources[:, ::2] = rng.uniform(size=(n, (d + 1) // 2))
    matrix = np.random.default_rng(d).normal(size=(d, d))
    return sources @ matrix, (d // 2) * (1 + log(2)) + float(np.linalg.slogdet(matrix)[1])


def two_clusters(d: int, n: int, rng: np.random.Generator) -> Draw:
    """Two normals at +-2 along the diagonal, 4 sqrt(d) apart."""
    return _clusters(np.stack([np.full(d, 2.0), np.full(d, -2.0)]), n, rng)


def four_clusters(d: int, n: int, rng: np.random.Generator) -> Draw:
    """Four normals around fixed random centres."""
    return _clusters(3 * np.random.default_rng(1).normal(size=(4, d)), n, rng)


def linear_manifold(d: int, n: int, rng: np.random.Generator) -> Draw:
    """A d-dimensional normal in a random subspace, turned but not stretched."""
    basis = np.linalg.qr(rng.normal(size=(AMBIENT, d)))[0]
    z, h = normal(d, n, rng)
    return z @ basis.T, h


def curved_manifold(d: int, n: int, rng: np.random.Generator) -> Draw:
    """A d-dimensional normal, each coordinate drawn along a helix of unit speed, turned into R^256.

    z -> (cos(z / a) a s, sin(z / a) a s, z c), s^2 + c^2 = 1, is an isometry: the entropy is that of z.
    """
    z, h = normal(d, n, rng)
    radius, s = 2.0, 0.8
    helix = np.concatenate([radius * s * np.cos(z / radius), radius * s * np.sin(z / radius), z * (1 - s**2) ** 0.5], 1)
    basis = np.linalg.qr(rng.normal(size=(AMBIENT, 3 * d)))[0]
    return helix @ basis.T, h


def _clusters(centres: Array, n: int, rng: np.random.Generator) -> Draw:
    d = centres.shape[1]

    def draw(size: int, generator: np.random.Generator) -> tuple[Array, Array]:
        noise = generator.normal(size=(size, d))
        return centres[generator.integers(0, len(centres), size)] + noise, noise

    # The truth has no closed form; its Monte Carlo error is removed but for the overlap of the clusters.
    x, noise = draw(50_000, np.random.default_rng(7))
    squares = np.stack([((x - centre) ** 2).sum(1) for centre in centres], 1)
    posterior_gain = logsumexp(-0.5 * (squares - (noise**2).sum(1)[:, None]), axis=1)
    h = d / 2 * log(2 * pi * np.e) + log(len(centres)) - float(posterior_gain.mean())
    return draw(n, rng)[0], h


def uniform_copula(d: int, n: int, rng: np.random.Generator) -> Draw:
    """Uniform margins with the dependence of an equicorrelated normal."""
    x, h = equicorrelated(d, n, rng)
    return stats.norm.cdf(x), h - d / 2 * log(2 * pi * np.e)


def lognormal(d: int, n: int, rng: np.random.Generator) -> Draw:
    """The exponential of an equicorrelated normal."""
    x, h = equicorrelated(d, n, rng)
    return np.exp(x), h


def clayton(d: int, n: int, rng: np.random.Generator, theta: float = 2.0) -> Draw:
    """Uniform margins whose small values go together (Clayton 1978)."""

    def draw(size: int, generator: np.random.Generator) -> Array:
        shared = generator.gamma(1 / theta, size=(size, 1))
        return (1 + generator.exponential(size=(size, d)) / shared) ** (-1 / theta)

    u = draw(200_000, np.random.default_rng(7))
    joined = np.log((u**-theta).sum(1) - d + 1)
    h = (1 + theta) * np.log(u).sum(1) + (d + 1 / theta) * joined - np.log1p(theta * np.arange(d)).sum()
    return draw(n, rng), float(h.mean())


def noisy_circles(d: int, n: int, rng: np.random.Generator, noise: float = 0.1) -> Draw:
    """d / 2 circles of radius 1, each in two columns of its own, with normal noise; an odd column is normal noise."""
    angle = rng.uniform(0, 2 * pi, (n, d // 2))
    rings = np.stack([np.cos(angle), np.sin(angle)], -1).reshape(n, -1)
    r = np.linspace(1e-6, 1 + 10 * noise, 20_001)
    p = np.exp(-((r - 1) ** 2) / (2 * noise**2)) * i0e(r / noise**2) / (2 * pi * noise**2)
    ring = -trapezoid(2 * pi * r * p * np.log(np.maximum(p, 1e-300)), r)
    rest = 0.5 * log(2 * pi * np.e * noise**2)
    x = np.hstack([rings, np.zeros((n, d % 2))]) + noise * rng.normal(size=(n, d))
    return x, float(d // 2 * ring + d % 2 * rest)


def rotated_gamma(d: int, n: int, rng: np.random.Generator) -> Draw:
    """Independent gamma(1/2), whose density is infinite at 0, turned by a fixed rotation."""
    turn = np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))[0]
    return rng.gamma(0.5, size=(n, d)) @ turn, d * float(stats.gamma(0.5).entropy())


def dirichlet(d: int, n: int, rng: np.random.Generator) -> Draw:
    """The first d of d + 1 shares, each of weight 1/2: infinite density at every face of the simplex."""
    return rng.dirichlet(np.full(d + 1, 0.5), n)[:, :d], float(stats.dirichlet(np.full(d + 1, 0.5)).entropy())


def narrow_and_wide(d: int, n: int, rng: np.random.Generator, ratio: float = 100.0) -> Draw:
    """Two normals around 0 of standard deviations 1 and 100."""

    def draw(size: int, generator: np.random.Generator) -> Array:
        return generator.normal(size=(size, d)) * ratio ** generator.integers(0, 2, (size, 1))

    squares = (draw(200_000, np.random.default_rng(7)) ** 2).sum(1)
    terms = np.stack([-squares / 2, -squares / (2 * ratio**2) - d * log(ratio)])
    return draw(n, rng), d / 2 * log(2 * pi) + log(2) - float(logsumexp(terms, axis=0).mean())


FULL_DIMENSION: dict[str, Callable[..., Draw]] = {
    "normal": normal,
    "equicorrelated": equicorrelated,
    "laplace": laplace,
    "student5": student5,
    "multivariate_student5": multivariate_student5,
    "cube": cube,
    "mixed_sources": mixed_sources,
    "two_clusters": two_clusters,
    "four_clusters": four_clusters,
    "uniform_copula": uniform_copula,
    "lognormal": lognormal,
    "clayton": clayton,
    "noisy_circles": noisy_circles,
    "rotated_gamma": rotated_gamma,
    "dirichlet": dirichlet,
    "narrow_and_wide": narrow_and_wide,
}
MANIFOLDS: dict[str, Callable[..., Draw]] = {"linear_manifold": linear_manifold, "curved_manifold": curved_manifold}
FAMILIES = FULL_DIMENSION | MANIFOLDS
