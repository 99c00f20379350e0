"""Invertible maps that make coordinates independent, each with the logarithm of its volume change.

h(X) = h(Z) + E[-ln |det dZ/dX|] holds for every one of them, so a poor map costs accuracy, never correctness. A map is
fitted on one sample and may be applied to another of the same distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from entropix.estimators._marginals import Array, column_entropies, quantile_scores

Applied = tuple[Array, Array]
"""z (n, d) and -ln |det dz/dx| (n,)."""

LARGEST_POWER = 16.0
"""Beyond it the outermost rows alone would decide where an ellipse lies."""


class FittedMap(NamedTuple):
    """A map that was fitted to a sample.

    Attributes:
        name: Name in the method of a result.
        parameters: Number of parameters fitted, which bias the entropy downwards by about parameters / 2n.
        apply: The map itself.
        standard: Whether coordinates are taken as standard normal; else their own entropies are estimated. Evenly
            spaced ranks have no neighbours at random distances, from which to estimate them.
    """

    name: str
    parameters: int
    apply: Callable[[Array], Applied]
    standard: bool = False


def scale(x: Array) -> FittedMap:
    """Centre and divide by the standard deviation: coordinates stay what they are."""
    mean, sd = x.mean(0), x.std(0)
    cost = np.log(sd).sum()
    return FittedMap("independent", 0, lambda new: ((new - mean) / sd, np.full(len(new), cost)))


def linear(x: Array, name: str, parameters: int, matrix: Array) -> FittedMap:
    """Map by z = (x - mean) matrix."""
    mean, cost = x.mean(0), -np.linalg.slogdet(matrix)[1]
    return FittedMap(name, parameters, lambda new: ((new - mean) @ matrix, np.full(len(new), cost)))


def inverse_root(covariance: Array) -> Array:
    """Return the symmetric inverse square root of a covariance: the whitening that moves the coordinates least."""
    values, vectors = np.linalg.eigh(covariance)
    floor = values[-1] * len(values) * np.finfo(np.float64).eps
    result: Array = (vectors / np.sqrt(np.maximum(values, floor))) @ vectors.T
    return result


def whiten(x: Array) -> FittedMap:
    """Scale, then remove linear correlation."""
    d = x.shape[1]
    return linear(x, "whitened", d * (d - 1) // 2, whitening(x))


def whitening(x: Array) -> Array:
    """Return the matrix (d, d) that takes linear correlation out of x and gives its columns unit variance."""
    d, sd = x.shape[1], x.std(0)
    result: Array = inverse_root(np.cov((x / sd).T, bias=True).reshape(d, d)) / sd[:, None]
    return result


def radial(x: Array) -> FittedMap:
    """Make a distribution with elliptical contours normal, by a change of radius (Lyu and Simoncelli 2009).

    How the radius is distributed is taken, by ranks, from the sample that the map is applied to. `_ellipse` fits centre
    and shape of the ellipse.
    """
    d = x.shape[1]
    centre, matrix = _ellipse(x)
    fixed = -np.linalg.slogdet(matrix)[1]

    def apply(new: Array) -> Applied:
        from scipy import stats

        z = (new - centre) @ matrix
        radius = np.maximum(np.linalg.norm(z, axis=1), np.finfo(np.float64).tiny)
        rank = radius.argsort(kind="stable").argsort()
        target = stats.chi.ppf((rank + 0.5) / len(new), d)
        # -ln of the slope of the change of radius: (-ln density of the radius) + ln density of the target
        own = column_entropies(radius[:, None], min(5, len(new) - 1))[:, 0]
        slope = own + stats.chi.logpdf(target, d)
        growth = target / radius
        return z * growth[:, None], fixed + slope - (d - 1) * np.log(growth)

    return FittedMap("radial", d * (d + 1) // 2, apply)


def _ellipse(x: Array) -> tuple[Array, Array]:
    """Return the centre (d,) of elliptical contours of x (n, d), and the matrix (d, d) that makes them round.

    With tails like a normal's or heavier the centre is the median, and the shape Tyler's (1987), which doesn't depend
    on how the radius is distributed. Tails that are lighter, and edges above all, tell more of the ellipse than the
    rest of the rows: what half a standard error of Tyler's shape misplaces of an edge raised the entropy of a uniform
    ball by 0.2 nats (d = 8, n = 500). Both are then those of the likeliest density exp(-radius^(2 power)), whose
    power is that of the sample (Gomez, Gomez-Villegas and Marin 1998; the iterations: Pascal, Bombrun, Tourneret and
    Berthoumieu 2013, eq. 15).
    """
    d = x.shape[1]
    middle, sd = np.median(x, axis=0), x.std(0)
    y = (x - middle) / sd
    centre, root = np.zeros(d), np.eye(d)
    for _ in range(60):
        z = (y - centre) @ root
        squared = np.maximum((z**2).sum(1), np.finfo(np.float64).tiny)
        power = _power(float(np.log(squared).var()), d)
        weights, moved = 1 / squared, np.zeros(d)
        if power > 1:
            weights = (squared / squared.mean()) ** (power - 1)
            # steps of the plain iteration are too long by about the power
            moved = centre + weights @ (y - centre) / weights.sum() / (1 + 2 * (power - 1) / d)
        values, vectors = np.linalg.eigh((weights[:, None] * z).T @ z)
        back = np.linalg.solve(root, vectors)
        update = inverse_root((back * (values / values.mean()) ** (1 / max(power, 1))) @ back.T)
        update /= np.linalg.norm(update) / d**0.5
        done = max(np.abs(update - root).max(), np.abs(moved - centre).max()) < 1e-5
        centre, root = moved, update
        if done:
            break
    return middle + centre * sd, root / sd[:, None]


def _power(variance: float, d: int) -> float:
    """Return the power of the density exp(-radius^(2 power)) in d dimensions, from the variance of ln radius^2.

    At most `LARGEST_POWER`, which stands for an edge.
    """
    from scipy.optimize import brentq
    from scipy.special import polygamma

    def excess(power: float) -> float:
        return float(polygamma(1, d / (2 * power))) / power**2 - variance

    if excess(1.0) <= 0:
        return 1.0
    return LARGEST_POWER if excess(LARGEST_POWER) >= 0 else float(brentq(excess, 1.0, LARGEST_POWER, xtol=1e-3))


def scored(x: Array, fit: Callable[[Array], FittedMap]) -> FittedMap:
    """Replace each column by its normal scores, by ranks in the sample that the map is applied to, then apply `fit`.

    For data that a monotone map of each column makes simple: a normal copula, after whitening, whatever the margins.
    """
    after = fit(quantile_scores(x))

    def apply(new: Array) -> Applied:
        scores = quantile_scores(new)
        z, cost = after.apply(scores)
        # -ln of the slope of the change of a column: (-ln density of the column) + ln density of its normal score
        slope = column_entropies(new, min(5, len(new) - 1)) - standard_surprise(scores)
        return z, cost + slope.sum(1)

    return FittedMap(f"{after.name} scores", after.parameters, apply, standard=True)


def standard_surprise(z: Array) -> Array:
    """Return -ln of the standard normal density of each value of z."""
    return 0.5 * z**2 + 0.5 * np.log(2 * np.pi)
