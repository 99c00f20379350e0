"""Pairs of samples whose mutual information or divergence is known: shared by benchmarks and tests.

`TASKS` are twenty of the tasks of "Beyond normal" (Czyz, Grabowski, Vogt, Beerenwinkel and Marx 2023), written from the
formulas there: a task maps (n, generator) to x (n, p), y (n, q) and I(X; Y) in nats. Mutual information does not
change under invertible maps of x or y alone, so most tasks are a normal or a Student t whose sides are bent.
`DIVERGENCES` map (n, generator) to samples of P and of Q and D(P || Q).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log, pi
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln
from scipy.stats import cauchy, expon, laplace, lognorm, norm, t, uniform
from truths import Array

Pair = tuple[Array, Array, float]
Bend = Callable[[Array], Array]


def jointly_normal(n: int, rng: np.random.Generator, p: int, covariance: Array) -> Pair:
    z = rng.normal(size=(n, len(covariance))) @ np.linalg.cholesky(covariance).T
    blocks = (covariance[:p, :p], covariance[p:, p:], covariance)
    x, y, both = (np.linalg.slogdet(block)[1] for block in blocks)
    return z[:, :p], z[:, p:], 0.5 * float(x + y - both)


def bivariate(n: int, rng: np.random.Generator, rho: float = 0.75) -> Pair:
    return jointly_normal(n, rng, 1, np.array([[1, rho], [rho, 1]]))


def dense(n: int, rng: np.random.Generator, p: int) -> Pair:
    """All correlations are 1/2."""
    return jointly_normal(n, rng, p, np.full((2 * p, 2 * p), 0.5) + 0.5 * np.eye(2 * p))


def two_pairs(n: int, rng: np.random.Generator, p: int) -> Pair:
    """x_1 belongs to y_1 and x_2 to y_2; all else is independent."""
    covariance = np.eye(2 * p)
    for j in (0, 1):
        covariance[j, p + j] = covariance[p + j, j] = 0.8
    return jointly_normal(n, rng, p, covariance)


def student(n: int, rng: np.random.Generator, p: int, freedom: float) -> Pair:
    """A multivariate t without correlation: all that x and y share is their scale."""
    z = rng.normal(size=(n, 2 * p)) / np.sqrt(rng.chisquare(freedom, (n, 1)) / freedom)

    def term(v: float) -> float:
        return float(gammaln(v / 2) - v / 2 * digamma(v / 2))

    truth = term(freedom) + term(freedom + 2 * p) - 2 * term(freedom + p)
    return z[:, :p], z[:, p:], truth


def additive_noise(n: int, rng: np.random.Generator, width: float) -> Pair:
    """Uniform x, and y = x + uniform noise between -width and width."""
    x = rng.uniform(size=(n, 1))
    truth = width - log(2 * width) if width <= 0.5 else 1 / (4 * width)
    return x, x + rng.uniform(-width, width, (n, 1)), truth


def swiss_roll(n: int, rng: np.random.Generator) -> Pair:
    x, y, truth = bivariate(n, rng)
    t = 1.5 * pi * (1 + 2 * norm.cdf(x))
    return np.hstack([t * np.cos(t), t * np.sin(t)]) / 21, norm.cdf(y), truth


def bent(n: int, rng: np.random.Generator, task: Callable[..., Pair], of_x: Bend, of_y: Bend | None = None) -> Pair:
    x, y, truth = task(n, rng)
    return of_x(x), (of_y or of_x)(y), truth


def half_cube(x: Array) -> Array:
    return np.sign(x) * np.abs(x) ** 1.5


def spiral(x: Array, first: int = 0, speed: float = 1 / 3) -> Array:
    """Turn columns `first` and the next by an angle that grows with the squared length of the row."""
    angle = speed * (x**2).sum(1)
    turned = x.copy()
    a, b = x[:, first], x[:, first + 1]
    turned[:, first] = np.cos(angle) * a - np.sin(angle) * b
    turned[:, first + 1] = np.sin(angle) * a + np.cos(angle) * b
    return turned


def two_modes(x: Array) -> Array:
    """Map a standard normal to a mixture of two normals."""
    grid = np.linspace(-8, 12, 20_001)
    return np.asarray(np.interp(norm.cdf(x), 0.3 * norm.cdf(grid) + 0.7 * norm.cdf(grid, 5, 0.5), grid))


def wiggly(x: Array) -> Array:
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


TASKS: dict[str, Callable[[int, np.random.Generator], Pair]] = {
    "normal 1x1": bivariate,
    "uniform 1x1": partial(bent, task=bivariate, of_x=norm.cdf),
    "additive noise .1": partial(additive_noise, width=0.1),
    "additive noise .75": partial(additive_noise, width=0.75),
    "two modes 1x1": partial(bent, task=bivariate, of_x=two_modes),
    "wiggly 1x1": partial(bent, task=bivariate, of_x=wiggly),
    "half-cube 1x1": partial(bent, task=bivariate, of_x=half_cube),
    "student 1x1, 1 df": partial(student, p=1, freedom=1),
    "asinh student 1x1, 1 df": partial(bent, task=partial(student, p=1, freedom=1), of_x=np.arcsinh),
    "swiss roll 2x1": swiss_roll,
    "dense 2x2": partial(dense, p=2),
    "dense 5x5": partial(dense, p=5),
    "dense 25x25": partial(dense, p=25),
    "two pairs 3x3": partial(two_pairs, p=3),
    "two pairs 25x25": partial(two_pairs, p=25),
    "student 3x3, 2 df": partial(student, p=3, freedom=2),
    "student 5x5, 2 df": partial(student, p=5, freedom=2),
    "uniform two pairs 5x5": partial(bent, task=partial(two_pairs, p=5), of_x=norm.cdf),
    "half-cube two pairs 25x25": partial(bent, task=partial(two_pairs, p=25), of_x=half_cube),
    "spiral two pairs 3x3": partial(bent, task=partial(two_pairs, p=3), of_x=spiral, of_y=partial(spiral, first=1)),
}


def normals(n: int, rng: np.random.Generator, d: int, shift: float, sd_x: float, sd_y: float) -> Pair:
    """P has mean `shift` in every column and standard deviation sd_x, Q has mean 0 and sd_y."""
    x, y = shift + sd_x * rng.normal(size=(n, d)), sd_y * rng.normal(size=(n, d))
    return x, y, d / 2 * ((sd_x**2 + shift**2) / sd_y**2 - 1 - 2 * log(sd_x / sd_y))


def independent(n: int, rng: np.random.Generator, p: Any, q: Any, d: int, truth: float) -> Pair:
    """d independent columns, of distribution p in x and q in y; truth is that of one column."""
    return p.rvs((n, d), random_state=rng), q.rvs((n, d), random_state=rng), d * truth


NORMAL_PAIRS: dict[str, Callable[[int, np.random.Generator], Pair]] = {
    "wider, d = 1": partial(normals, d=1, shift=0, sd_x=2, sd_y=1),
    "narrower, d = 1": partial(normals, d=1, shift=0, sd_x=1, sd_y=2),
    "shifted by 1, d = 1": partial(normals, d=1, shift=1, sd_x=1, sd_y=1),
    "narrower, d = 10": partial(normals, d=10, shift=0, sd_x=1, sd_y=2),
    "shifted by 1, d = 20": partial(normals, d=20, shift=1, sd_x=1, sd_y=1),
}

DIVERGENCES = NORMAL_PAIRS | {
    "Laplace and normal, d = 1": partial(
        independent, p=laplace(scale=0.5**0.5), q=norm(), d=1, truth=0.5 * log(pi) - 0.5
    ),
    "exponential, wider, d = 1": partial(independent, p=expon(scale=2), q=expon(), d=1, truth=1 - log(2)),
    "exponential, narrower, d = 5": partial(independent, p=expon(), q=expon(scale=2), d=5, truth=log(2) - 0.5),
    "uniform, half as wide, d = 4": partial(independent, p=uniform(0, 1), q=uniform(0, 2), d=4, truth=log(2)),
    "log-normal, shifted, d = 1": partial(independent, p=lognorm(1, scale=2), q=lognorm(1), d=1, truth=log(2) ** 2 / 2),
    "Cauchy, shifted by 1, d = 1": partial(independent, p=cauchy(1), q=cauchy(), d=1, truth=log(1.25)),
    "Student t, 2 df, equal, d = 2": partial(independent, p=t(2), q=t(2), d=2, truth=0.0),
}
