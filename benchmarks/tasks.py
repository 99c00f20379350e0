"""The image sets of the benchmarks: folders of real images, and one-class tasks made from what packages ship.

A task is what a user has, normal images to fit to, and what the benchmark adds, labelled test images. No image, and
no copy of one, is in both. What is normal in which task was fixed before anything was measured on them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

import entropix
from entropix.data import ImageSet, read

SIZE = 32  # pixels squared: the default of `entropix.fit`
LEAST_CONTRAST = 3 / 255  # standard deviation of a tile; below it there is sky and noise, and no texture
TILE = 16


@dataclass(frozen=True)
class Task:
    """Normal images to fit to, and test images labelled 0 normal, 1 abnormal."""

    name: str
    train: ImageSet
    test: ImageSet

    @property
    def image_size(self) -> int:
        return self.train.pixels.shape[-1]


def load(name: str, image_size: int = SIZE) -> Task:
    """One of `TASKS`, or a folder with labelled test images (`data.json`, or test/good and test/<defect>)."""
    if name in TASKS:
        return TASKS[name](name)
    folder = Path(name)
    if not folder.is_dir():
        raise SystemExit(f"{name}: no such folder, and none of the tasks {', '.join(TASKS)}")
    return Task(
        folder.resolve().name, *(read(folder, split=split, image_size=image_size) for split in ("train", "test"))
    )


def digits(name: str, normal: Collection[int], n_train: int) -> Task:
    """scikit-learn's handwritten digits (8 x 8, 1,797 of them): some are normal, the others abnormal."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images, known = data.images / 16, np.isin(data.target, list(normal))
    return _split(name, images[known], images[~known], n_train)


def textures(name: str, n_train: int) -> Task:
    """Tiles of scikit-learn's two photographs, brought to one mean and contrast: petals normal, buildings abnormal."""
    from sklearn.datasets import load_sample_image

    normal, abnormal = (_tiles(load_sample_image(f"{photo}.jpg").mean(-1) / 255) for photo in ("flower", "china"))
    return _split(name, normal, abnormal, n_train)


def phantoms(name: str, factors: int) -> Task:
    """Simulated heads with a known number of factors; half of the test images have a lesion."""
    train = entropix.datasets.phantoms(600, factors, image_size=SIZE)
    test = entropix.datasets.phantoms(400, factors, lesions=0.5, image_size=SIZE, seed=1)
    return Task(name, _set(name, train.images, train.labels), _set(name, test.images, test.labels))


def _tiles(photo: np.ndarray) -> np.ndarray:
    """Disjoint tiles (n, 16, 16) of a photograph (h, w) that show texture: mean 0.5, standard deviation 1/6."""
    rows, columns = (length // TILE for length in photo.shape)
    grid = photo[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE)
    tiles = grid.swapaxes(1, 2).reshape(-1, TILE, TILE)
    contrast = tiles.std((1, 2), keepdims=True)
    tiles, contrast = (values[contrast[:, 0, 0] > LEAST_CONTRAST] for values in (tiles, contrast))
    return (0.5 + (tiles - tiles.mean((1, 2), keepdims=True)) / (6 * contrast)).clip(0, 1)


def _split(name: str, normal: np.ndarray, abnormal: np.ndarray, n_train: int) -> Task:
    """`n_train` of the normal images at random to fit to; the others and all abnormal ones are the test."""
    normal = normal[np.random.default_rng(0).permutation(len(normal))]
    rest = normal[n_train:]
    labels = np.repeat([0, 1], [len(rest), len(abnormal)])
    train = _set(name, normal[:n_train], np.zeros(n_train, np.int64))
    return Task(name, train, _set(name, np.concatenate([rest, abnormal]), labels))


def _set(name: str, images: np.ndarray, labels: np.ndarray) -> ImageSet:
    """Images (n, h, w) or (n, 1, h, w) on [0, 1] at the size of the tasks."""
    return replace(read(images.astype(np.float32), image_size=SIZE, split="test"), labels=labels, source=name)


TASKS: dict[str, Callable[[str], Task]] = {
    "digits-low": partial(digits, normal=range(5), n_train=600),
    "digits-even": partial(digits, normal=range(0, 10, 2), n_train=600),
    "digits-not-0": partial(digits, normal=range(1, 10), n_train=1000),
    "textures": partial(textures, n_train=400),
    "phantoms-8": partial(phantoms, factors=8),
}
