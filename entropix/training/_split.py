"""Training and held-out images: groups and duplicates stay on one side."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from entropix._utils import in_batches
from entropix.data import ImageView
from entropix.estimators import Duplicates, EstimatorWarning, SignalSpace, merge_duplicates

HELD_OUT = 0.2  # share of the images that the autoencoder is not trained on
MOST_HELD_OUT = 2000  # they tell false-positive rates down to 0.0005; more serve better as training images
MOST_IN_PIXELS = 4000  # up to so many images are compared pixel by pixel, every one with every other
AXES, SAMPLE = 32, 2000  # more images are compared by their projections on the leading principal axes of a sample


def split(images: Tensor | ImageView, groups: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the indices (ascending) of training images, of held-out images, and of the distinct ones among all.

    Images of one group (patient, volume) and duplicates (copies and near-copies) form one unit. Units are held out at
    random as long as they fit into a fifth of the images, at most 2,000. Training keeps its duplicates, as they came;
    the held-out images are distinct.

    Args:
        images: (n, c, s, s), or vectors (n, p).
        groups: the group of each image.
        seed: seed of the draw.
    """
    duplicates = image_duplicates(images)
    distinct = duplicates.keep.cpu().numpy()
    units = _units(duplicates.group.cpu().numpy(), groups)
    order = np.random.default_rng(seed).permutation(units.max() + 1)
    size = np.bincount(units)
    chosen: list[int] = []
    room = min(HELD_OUT * len(images), MOST_HELD_OUT)
    for unit in order:
        if size[unit] <= room or not chosen:  # a unit that is too large is passed over; others may fit
            chosen.append(int(unit))
            room -= size[unit]
    held_out = np.isin(units, chosen)
    return np.flatnonzero(~held_out), np.intersect1d(np.flatnonzero(held_out), distinct), distinct


def image_duplicates(images: Tensor | ImageView) -> Duplicates:
    """Find the copies and near-copies among images (n, c, s, s), or vectors (n, p); the caller reports their number.

    With more than 4,000 images, their projections on 32 principal axes are compared: the number of pairs grows as n^2,
    and thousands of pixels each would take hours. Copies are as near in the projection. Other images may be near there
    too; the test accounts for that, as it goes by the distances to be expected in the projection. Vectors, which may
    lie on a lattice or have few columns, are compared as they are.
    """
    if len(images) <= MOST_IN_PIXELS or len(images.shape) == 2:
        x = images[:].flatten(1)
    else:
        sample = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:SAMPLE]
        space = SignalSpace.from_images(images[sample])
        x = in_batches(lambda batch: space.project(batch)[:, :AXES], images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimatorWarning)
        return merge_duplicates(x)


def _units(duplicate: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Label (n,) of the connected component of each image, duplicates and members of a group being connected."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    n, ones = len(duplicate), np.ones(2 * len(duplicate))
    image = np.concatenate([np.arange(n)] * 2)
    node = np.concatenate([n + duplicate, 2 * n + group])  # images, duplicate groups and groups are nodes
    graph = coo_array((ones, (image, node)), shape=(3 * n, 3 * n))
    return np.unique(connected_components(graph, directed=False)[1][:n], return_inverse=True)[1]
