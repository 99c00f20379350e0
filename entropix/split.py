"""Training and held-out images: groups and twins stay on one side."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from entropix.estimators import EstimatorWarning, merge_twins

HELD_OUT = 0.2  # share of the images that the autoencoder is not trained on


def split(images: Tensor, groups: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices (ascending) of training images, of held-out images, and of the distinct ones among all.

    images: (n, c, s, s). Images of one group (patient, volume) and twins (copies and near-copies) form one
    unit; units are drawn at random as long as they fit into a fifth of the images. Training keeps its twins, as they
    came; the held-out images are distinct.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimatorWarning)  # the number is reported with the entropy
        twins = merge_twins(images.flatten(1))
    distinct = twins.keep.cpu().numpy()
    units = _units(twins.group.cpu().numpy(), groups)
    order = np.random.default_rng(seed).permutation(units.max() + 1)
    size = np.bincount(units)
    chosen: list[int] = []
    room = HELD_OUT * len(images)
    for unit in order:
        if size[unit] <= room or not chosen:  # one that is too large is passed over, not the end
            chosen.append(int(unit))
            room -= size[unit]
    held_out = np.isin(units, chosen)
    return np.flatnonzero(~held_out), np.intersect1d(np.flatnonzero(held_out), distinct), distinct


def _units(twin: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Label (n,) of the connected component of each image, twins and members of a group being connected."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    n, ones = len(twin), np.ones(2 * len(twin))
    image = np.concatenate([np.arange(n)] * 2)
    node = np.concatenate([n + twin, 2 * n + group])  # images, twin groups and groups are nodes
    graph = coo_array((ones, (image, node)), shape=(3 * n, 3 * n))
    return np.unique(connected_components(graph, directed=False)[1][:n], return_inverse=True)[1]
