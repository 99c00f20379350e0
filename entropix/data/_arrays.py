"""From arrays, tensors, lists of them, `.npy`, `.npz` and torch datasets to prepared images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from entropix._utils import plain
from entropix.data._blocks import Block, to_block
from entropix.data._imageset import Origin
from entropix.data._scale import real_values
from entropix.exceptions import DataError, MissingSplitError

# Images that are converted and resized at once: few enough to keep memory small beside the array itself.
CHUNK = 256


def to_numpy(values: Any) -> np.ndarray:
    """Return an array, tensor, PIL image, or what NumPy makes an array of (xarray, JAX, Dask, ...) as a numpy array.

    Raises:
        DataError: anything else; masked or sparse values.
    """
    if type(values).__module__.partition(".")[0] == "PIL":
        from entropix.data.formats._pillow import pixels

        return pixels(values)
    values = plain(values)
    if isinstance(values, torch.Tensor):
        if values.is_complex() or values.is_quantized:
            raise DataError(f"tensor of dtype {values.dtype}; expected real numbers (bool, integer or float)")
        values = values.detach().cpu().resolve_neg()
        half = values.is_floating_point() and values.dtype not in (torch.float32, torch.float64)
        return (values.float() if half else values).numpy()
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "__array__"):
        return np.asarray(values)
    size = f" of {len(values)}" if isinstance(values, tuple | list) else ""
    raise DataError(
        f"{type(values).__name__}{size}; expected an array, a tensor or a PIL image, alone or as (image, label)"
    )


def channels_first(images: np.ndarray, what: str) -> np.ndarray:
    """Return images (n, h, w), (n, c, h, w) or (n, h, w, c), the last with c = 1 or 3, as (n, c, h, w).

    Raises:
        DataError: another number of dimensions, or no axis that can be the channels.
    """
    shape = images.shape
    if images.ndim == 3 and not (shape[-1] in (3, 4) and min(shape[:2]) > 4):
        return images[:, None]
    if images.ndim == 4 and shape[1] in (1, 3):
        return images
    if images.ndim == 4 and shape[-1] in (1, 3):
        return images.transpose(0, 3, 1, 2)
    if images.ndim == 4 and shape[1] <= min(shape[2:]):
        return images
    hint = "; one image needs a leading axis, x[None]" if images.ndim in (2, 3) else ""
    raise DataError(f"{what} of shape {shape}; expected (n, h, w), (n, c, h, w) or (n, h, w, 3){hint}")


def from_array(
    values: np.ndarray, labels: np.ndarray | None, split: str, image_size: int, channels: int | None
) -> Iterator[list[Block]]:
    """Yield blocks of one array of images; with labels, split "train" takes the normal ones."""
    images = channels_first(values, "array")
    classes = np.full(len(images), -1) if labels is None else binary_labels(labels, len(images))
    chosen = np.flatnonzero(classes != 1) if split == "train" else np.arange(len(images))
    if not len(chosen):
        raise DataError(f"array of shape {values.shape} holds no images for split {split!r}")
    origin = Origin(bits=8 * values.dtype.itemsize)
    for start in range(0, len(chosen), CHUNK):
        index = chosen[start : start + CHUNK]
        pixels, scale = real_values(images[index])
        names = [str(i) for i in index]
        yield [
            to_block(pixels, scale, image_size, channels, names, classes[index].tolist(), names, [origin] * len(index))
        ]


def from_items(items: Iterable[Any], split: str, image_size: int, channels: int | None) -> Iterator[list[Block]]:
    """Yield blocks of single images (h, w), (c, h, w) or (h, w, 3), or of pairs (image, label)."""
    for i, item in enumerate(items):
        name, label = str(i), -1
        try:
            if isinstance(item, tuple | list) and len(item) == 2:
                item, label = item[0], int(binary_labels(np.asarray(plain(item[1])).reshape(-1), 1)[0])
            elif isinstance(item, tuple) and len(item) == 1:  # of a TensorDataset
                (item,) = item
            # a copy: a data set may give every image in the same buffer
            pixels, scale = real_values(channels_first(to_numpy(item)[None], "image")[0].copy())
        except DataError as error:
            raise DataError(f"item {i}: {error}") from None
        if split == "test" or label != 1:
            yield [to_block(pixels[None], scale, image_size, channels, [name], [label], [name], [Origin()])]


def binary_labels(labels: np.ndarray, n: int) -> np.ndarray:
    """Return labels as int (n,): 0 normal, 1 abnormal, -1 unknown.

    Raises:
        DataError: another number of labels, or other classes than these.
    """
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.shape != (n,):
        raise DataError(f"labels of shape {labels.shape} for {n} images; expected ({n},)")
    classes = np.unique(flat)
    if flat.dtype.kind not in "buif" or not np.isin(classes, (-1, 0, 1)).all():
        shown = ", ".join(str(value) for value in classes[:10])
        raise DataError(
            f"labels with the classes {shown}; expected 0 = normal and 1 = abnormal. "
            "Make them so, for example labels = (labels != normal_class)"
        )
    return flat.astype(np.int64)


def load_archive(path: Path, split: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the images and labels (if any) of a `.npy` or `.npz` file. Pickled objects are never loaded.

    Raises:
        DataError: damaged, pickled, or with other keys than one array, images/labels or MedMNIST's.
    """
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False), None
        # opened here: np.load leaves a file that it cannot read open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            keys = archive.files
            for images, labels in ((f"{split}_images", f"{split}_labels"), ("images", "labels")):
                if images in keys:
                    return archive[images], archive[labels] if labels in keys else None
            if len(keys) == 1:
                return archive[keys[0]], None
    except Exception as error:  # zip, header and value errors of many types
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: not an archive of arrays that can be read ({reason})") from None
    expected = f"one array, images (and labels), or {split}_images (and {split}_labels)"
    kind = MissingSplitError if any(key.endswith("_images") for key in keys) else DataError
    raise kind(f"{path}: holds the arrays {', '.join(keys) or 'none'}; expected {expected}")


def dataset_items(dataset: Sequence[Any]) -> Iterator[Any]:
    """Yield the items of a torch Dataset, one after the other (its `__getitem__` need not be safe in threads)."""
    for i in range(len(dataset)):
        yield dataset[i]
