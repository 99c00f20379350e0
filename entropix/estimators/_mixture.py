"""A normal mixture as an invertible map to independent standard normal coordinates (Rosenblatt 1952).

Coordinate by coordinate, z_j is the normal quantile of the mixture's conditional distribution function of y_j given
y_1..y_(j-1). When the mixture is the true density, z is standard normal; clusters, which no linear map makes
independent, are taken apart.
"""

from __future__ import annotations

import warnings

import numpy as np

from entropix.estimators._marginals import Array
from entropix.estimators._normalising_maps import Applied, FittedMap, scale


def mixture(x: Array, components: int, covariance: str) -> FittedMap:
    """Scale x, fit a normal mixture by expectation maximisation, and map by its conditional distributions.

    Args:
        x: Sample (n, d).
        components: Number of clusters.
        covariance: "diag" (axes of x, a scale for each component), "tied" (any ellipse, the same for all components) or
            "full" (any for each).
    """
    from sklearn.mixture import GaussianMixture

    start = scale(x)
    y = start.apply(x)[0]
    d = y.shape[1]
    starts = 4 if covariance == "diag" else 1  # cheap ones are run often enough to miss few clusters
    model = GaussianMixture(components, covariance_type=covariance, random_state=0, n_init=starts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged: still a valid map, only a looser one
        model.fit(y)
    if covariance == "diag":
        roots = np.sqrt(model.covariances_)[:, :, None] * np.eye(d)
        free = components * d
    else:
        covariances = np.broadcast_to(model.covariances_, (components, d, d))  # "tied" has one for all
        roots = np.linalg.cholesky(covariances)
        free = d * (d + 1) // 2 * (components if covariance == "full" else 1)
    whiteners = np.linalg.inv(roots)  # lower triangular: row j involves the coordinates up to j only
    log_scales = np.log(np.diagonal(roots, axis1=1, axis2=2))  # (components, d)
    log_weights, means = np.log(model.weights_), model.means_

    def apply(new: Array) -> Applied:
        y, cost = start.apply(new)
        standard = np.stack([(y - mean) @ w.T for mean, w in zip(means, whiteners, strict=True)])
        z, volume = _rosenblatt(standard, log_weights, log_scales)
        return z, cost - volume

    # location and scale of each column are free in every map, and the column entropies refit them
    free += (components - 1) * (d + 1) - d
    return FittedMap(f"{components} clusters, {covariance}", free, apply)


def _rosenblatt(standard: Array, log_weights: Array, log_scales: Array) -> Applied:
    """Return z (n, d) and ln |det dz/dy| (n,), from the whitened coordinates (components, n, d) of each component."""
    from scipy.special import log_ndtr, ndtri_exp

    _, n, d = standard.shape
    posterior = np.repeat(log_weights[:, None], n, axis=1)  # (c, n), given the coordinates so far
    z = np.empty((n, d))
    volume = np.zeros(n)
    for j in range(d):
        t = standard[:, :, j]
        weight = posterior - _log_sum(posterior)
        below = _log_sum(weight + log_ndtr(t))
        above = _log_sum(weight + log_ndtr(-t))
        z[:, j] = np.where(below < above, ndtri_exp(below), -ndtri_exp(above))
        density = -0.5 * t**2 - log_scales[:, j, None]
        volume += _log_sum(weight + density) + 0.5 * z[:, j] ** 2  # conditional density over normal
        posterior = posterior + density
    return z, volume


def _log_sum(terms: Array) -> Array:
    """Return ln of the sum of exp(terms) over the components, the first axis; SciPy's takes several times as long."""
    return np.asarray(np.logaddexp.reduce(terms, axis=0))
