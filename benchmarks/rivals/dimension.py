"""Ways to choose d without labels that train nothing, or nothing but the sweep."""

import warnings
from collections.abc import Sequence

import numpy as np
from torch import Tensor

import entropix
from entropix.estimators import EstimatorWarning

EXPLAINED = 0.95


def elbow(dims: Sequence[int], errors: Sequence[float]) -> int:
    """The knee of the held-out error against d (kneedle: Satopaa, Albrecht, Irwin and Raghavan 2011).

    For a curve that falls and flattens: where the normalised curve is farthest below the chord from first to last.
    """
    x, y = np.asarray(dims, float), np.asarray(errors, float)
    x = (x - x[0]) / (x[-1] - x[0])
    y = (y - y.min()) / (y.max() - y.min())
    return int(dims[int(np.argmax(1 - y - x))])


def pca_dimension(images: Tensor) -> int:
    """Principal components that explain 95 % of the variance of the pixels."""
    from sklearn.decomposition import PCA

    pca = PCA().fit(images.flatten(1).cpu().numpy())
    return int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), EXPLAINED) + 1)


def twonn_dimension(images: Tensor) -> float:
    """Intrinsic dimension of the pixels from two neighbours (Facco, d'Errico, Rodriguez and Laio 2017), uncorrected.

    Copies among the images, which would make it about 1, are merged: the rival gets that from us.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimatorWarning)
        return entropix.intrinsic_dimension(images.flatten(1).double(), method="twonn", corrected=False).value


def nearest(d: float, dims: Sequence[int]) -> int:
    """The candidate whose ratio to d is nearest to 1."""
    return min(dims, key=lambda candidate: abs(np.log(candidate / d)))


def at_least(d: float, dims: Sequence[int]) -> int:
    """The smallest candidate not below d; the largest if all are."""
    return min((candidate for candidate in dims if candidate >= d), default=max(dims))
