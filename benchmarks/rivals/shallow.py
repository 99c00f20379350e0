"""Detectors without training in the deep sense: principal components and neighbours."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from entropix.ops import knn

EXPLAINED = 0.95
NEIGHBOURS = 5


@dataclass(frozen=True)
class Components:
    """Principal components of normal images that explain 95 % of their variance."""

    pca: Any

    @classmethod
    def of(cls, images: Tensor) -> "Components":
        from sklearn.decomposition import PCA

        return cls(PCA(EXPLAINED, svd_solver="full").fit(_rows(images)))

    def squared_residual(self, images: Tensor) -> np.ndarray:
        """(n, c, s, s) squared error of the reconstruction."""
        back = self.pca.inverse_transform(self.pca.transform(_rows(images)))
        return np.square(_rows(images) - back).reshape(images.shape)


def neighbour_distance(train: Tensor, images: Tensor) -> np.ndarray:
    """(n,) mean distance in pixels to the five nearest training images."""
    distances = knn(train.flatten(1), NEIGHBOURS, query=images.flatten(1)).distances
    return distances.mean(1).cpu().numpy()


def _rows(images: Tensor) -> np.ndarray:
    return images.flatten(1).cpu().numpy()
