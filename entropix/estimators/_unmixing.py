"""Independent component analysis by maximum likelihood: the linear map whose coordinates share least.

FastICA (Hyvarinen 1999) finds the directions roughly, with one fixed contrast. At 32 sources and 2,000 points what it
misses costs half a nat and more, above all where sources have edges (uniform, exponential). From there Newton steps
go down the bound that the map is for, -ln |det| + the sum of column entropies, whose gradient needs the scores
psi = -(ln p)' of the coordinates (Pham and Garat 1997). The scores are natural cubic splines fitted by minimising
E[psi^2 / 2 - psi'] (Cox 1985), which needs no density. At the maximum of the likelihood, and only there, the bound is
too low by about (number of parameters) / 2n, which `structured_local` adds back.
"""

from __future__ import annotations

import numpy as np

from entropix.estimators._marginals import Array, column_entropies
from entropix.estimators._normalising_maps import FittedMap, linear, whitening

KNOTS = (0, 0.02, 0.1, 0.5, 0.9, 0.98, 1)
"""Quantiles at which the splines of the scores have knots: at the ends, where densities have edges and tails."""


def unmix(x: Array) -> FittedMap:
    """Rotate and stretch to the most independent directions.

    The sources are found when x is a linear mixture of independent ones of which at most one is normal.
    """
    d = x.shape[1]
    return linear(x, "unmixed", d * (d - 1), _most_likely(x - x.mean(0), _fast_ica(x)))


def _fast_ica(x: Array) -> Array:
    """Return the matrix (d, d) of symmetric FastICA with the contrast log cosh."""
    d = x.shape[1]
    matrix = whitening(x)
    z = (x - x.mean(0)) @ matrix
    rotation = np.eye(d)
    for _ in range(100):
        projected = np.tanh(z @ rotation)
        step = z.T @ projected / len(z) - rotation * (1 - projected**2).mean(0)
        u, _, v = np.linalg.svd(step)
        turned = u @ v
        moved = 1 - np.abs((turned * rotation).sum(0)).min()
        rotation = turned
        if moved < 1e-4:
            break
    result: Array = matrix @ rotation
    return result


def _most_likely(centred: Array, matrix: Array) -> Array:
    """Improve the matrix by Newton steps that lower the bound; at worst it stays as it was."""
    bound = _bound(centred, matrix)
    with np.errstate(all="ignore"):  # a column with few values has no spline; NaN is no lower bound
        for _ in range(20):
            matrix = matrix / (centred @ matrix).std(0)
            step = _newton_step(centred @ matrix)
            for length in (1.0, 0.5, 0.25, 0.125):
                turned = matrix + length * matrix @ step
                lower = _bound(centred, turned)
                if lower < bound:
                    break
            else:
                return matrix
            gain, bound, matrix = bound - lower, lower, turned
            if gain < 1e-3 * len(matrix):
                break
    return matrix


def _bound(centred: Array, matrix: Array) -> float:
    entropies = column_entropies(centred @ matrix, min(5, len(centred) - 1)).mean(0)
    return float(entropies.sum() - np.linalg.slogdet(matrix)[1])


def _newton_step(z: Array) -> Array:
    """Return E (d, d) such that z (I + E) is less dependent; columns of z have unit variance.

    To second order the bound changes by sum_ij E_ji G_ji + E_ji^2 kappa_i / 2 + E_ji E_ij / 2, i != j, with
    G_ji = <z_j psi_i> and kappa_i = <psi_i'>: one system of two equations per pair.
    """
    fitted = [_score(column) for column in z.T]
    gradient = z.T @ np.stack([score for score, _ in fitted], 1) / len(z)
    curvature = np.broadcast_to([slope.mean() for _, slope in fitted], gradient.shape)
    determinant = curvature * curvature.T - 1
    # two normals have kappa_i kappa_j = 1, and no rotation makes them more independent; two logistics have 0.2 more
    told_apart = determinant > 0.1
    step = np.where(told_apart, (gradient.T - curvature.T * gradient) / np.where(told_apart, determinant, 1.0), 0.0)
    np.fill_diagonal(step, 0)
    return np.asarray(step)


def _score(z: Array) -> tuple[Array, Array]:
    """Return psi and psi' at z (n,)."""
    basis, slopes = _natural_splines(z, np.quantile(z, KNOTS))
    size = np.sqrt((basis**2).mean(0))
    basis, slopes = basis / size, slopes / size
    gram = basis.T @ basis / len(z) + 1e-9 * np.eye(len(KNOTS))
    weights = np.linalg.solve(gram, slopes.mean(0))
    return basis @ weights, slopes @ weights


def _natural_splines(z: Array, knots: Array) -> tuple[Array, Array]:
    """Return the natural cubic splines with the K knots (Hastie, Tibshirani and Friedman 2009, eq. 5.4-5.5) at z (n,).

    Returns:
        Splines (n, K) and their slopes (n, K).
    """
    beyond = np.maximum(z[:, None] - knots, 0)
    widths = knots[-1] - knots[:-1]
    squares = beyond**2
    cubes = squares * beyond
    cubes = (cubes[:, :-1] - cubes[:, -1:]) / widths
    squares = 3 * (squares[:, :-1] - squares[:, -1:]) / widths
    one = np.ones((len(z), 1))
    basis = np.hstack((one, z[:, None], cubes[:, :-1] - cubes[:, -1:]))
    slopes = np.hstack((0 * one, one, squares[:, :-1] - squares[:, -1:]))
    return basis, slopes
