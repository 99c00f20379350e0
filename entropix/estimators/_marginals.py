"""Columns taken alone: their entropies, and normal scores that keep the order of their values only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def column_entropies(y: Array, k: int) -> Array:
    """Return the Kozachenko-Leonenko contributions (n, d), whose means are the entropies of the columns of y (n, d)."""
    from scipy.special import digamma

    n = len(y)
    radii = np.empty(y.shape)
    for j in range(y.shape[1]):
        radii[:, j] = _distances_on_a_line(np.ascontiguousarray(y[:, j]), k)
    contributions: Array = np.log(2 * np.maximum(radii, np.finfo(np.float64).tiny)) + (digamma(n) - digamma(k))
    return contributions


def _distances_on_a_line(y: Array, k: int) -> Array:
    """Return the distance (n,) of each value of y (n,) to its k-th neighbour.

    Sorting replaces the search: the k nearest neighbours of a value are k of its 2 k neighbours in order.
    """
    n = len(y)
    order = y.argsort()
    values = y[order]
    radii = np.full(n, np.inf)
    for below in range(k + 1):  # the k neighbours: `below` of them smaller, the others larger
        inside = slice(below, n - k + below)
        # values[k:] starts where the window of the first inside point ends
        window = np.maximum(values[inside] - values[: n - k], values[k:] - values[inside])
        np.minimum(radii[inside], window, out=radii[inside])
    distances = np.empty(n)
    distances[order] = radii
    return distances


def normal_scores(y: Array) -> Array:
    """Replace each column by sorted standard normal draws in the order of its values (Bell and Doksum 1965).

    Whatever the columns' distributions, independent columns become exactly a standard normal sample, whose
    nearest-neighbour bias is known; only the dependence between columns is kept. The draws are the same on each call.
    """
    from scipy.special import ndtri

    n, d = y.shape
    draws = np.sort(ndtri(np.random.default_rng(0).random((n, d))), axis=0)
    return _in_order_of(y, draws)


def quantile_scores(y: Array) -> Array:
    """Replace each column by standard normal quantiles in the order of its values: smooth where the data is smooth."""
    from scipy.special import ndtri

    return _in_order_of(y, ndtri((np.arange(len(y)) + 0.5) / len(y))[:, None])


def _in_order_of(y: Array, values: Array) -> Array:
    """Return ascending values, (n, d) or (n, 1) for all columns, put into the order of each column of y (n, d)."""
    found = np.empty(y.shape)
    np.put_along_axis(found, y.argsort(axis=0, kind="stable"), values, axis=0)
    return found
