"""`read`: any source to an `ImageSet`."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from entropix._utils import track
from entropix.data import _arrays as arrays
from entropix.data import _files as files
from entropix.data import _folders as folders
from entropix.data._assemble import assemble, describe, one_modality
from entropix.data._blocks import Block, with_channels
from entropix.data._cache import WORTH_SECONDS, Cache, default_folder
from entropix.data._imageset import ImageSet
from entropix.data._select import Select
from entropix.exceptions import DataError


def read(
    dataset: Any,
    *,
    image_size: int = 64,
    split: str = "train",
    channels: int | None = None,
    select: Select | None = None,
    skip_unreadable: bool = False,
    keep_ids: bool = False,
    cache: bool | str | Path = True,
    progress: bool = False,
) -> ImageSet:
    """Read images, resized to `image_size` x `image_size`, float32.

    Args:
        dataset: one of
            a folder of PNG, JPEG, TIFF, BMP, DICOM or NIfTI files, searched below (`folders`: its layouts),
            one such file,
            `.npy`, or `.npz` with one array, images (and labels), or MedMNIST's keys,
            an array or tensor (n, h, w), (n, c, h, w) or (n, h, w, 3) of any real dtype,
            a list of arrays or of paths,
            a torch `Dataset` of images or of (image, label),
            an `ImageSet`, which passes through.
            Labels are 0 normal, 1 abnormal.
        image_size: height and width s of the result, in pixels.
        split: "train": normal images only, as far as the source knows; "test": test images with labels.
            A source without splits gives all its images for either.
        channels: 1 or 3 forces grey or colour, for example that of a fitted model. None: grey unless most
            of the images show real colour.
        select: which slices of volumes and which series of DICOM folders.
        skip_unreadable: leave out what cannot be read and list it in `unreadable`.
        keep_ids: name patients and series as their files do, not by pseudonyms.
        cache: keep the images of files whose reading takes more than a second in the user's cache folder for the
            next time; a folder: keep all there; False: keep nothing.
        progress: show a bar on standard error, if that is a terminal.

    Raises:
        DataError: unknown path, nothing to read, an unreadable item (unless skipped), NaN or infinite values,
            a wrong shape, dtype or label, DICOM files of several modalities.
    """
    if isinstance(image_size, bool) or not isinstance(image_size, int | np.integer) or image_size < 2:
        raise DataError(f"image_size={image_size!r}; expected a whole number of pixels, at least 2")
    if split not in ("train", "test"):
        raise DataError(f"split={split!r}; expected 'train' or 'test'")
    if channels is not None and (not isinstance(channels, int) or channels < 1):
        raise DataError(f"channels={channels!r}; expected 1 (grey), 3 (colour), the array's own number, or None")
    if isinstance(dataset, ImageSet):
        return _pass_through(dataset, image_size, split, channels)
    select = select or Select()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers warn about headers; what matters shows in the values
        found = _open(dataset, int(image_size), split, channels)
        if isinstance(found, Stream):
            blocks = chain.from_iterable(track(found.blocks, "reading images", progress, found.total))
            images = assemble(blocks, channels=channels, source=found.source)
        else:
            images = _read_files(found, int(image_size), channels, select, keep_ids, cache, progress)
    if images.unreadable and not skip_unreadable:
        raise DataError(
            f"{images.source}: {len(images.unreadable)} unreadable: {describe(images.unreadable)}. "
            "Repair or remove them, or leave them out with skip_unreadable=True (--skip-unreadable)"
        )
    if not len(images):
        raise DataError(f"{images.source}: no readable image. {describe(images.unreadable)}")
    return one_modality(replace(images, select=select), select)


@dataclass(frozen=True)
class Stream:
    """Blocks of images that are in memory or made one by one, how many steps they take, and the source in words."""

    blocks: Iterable[list[Block]]
    total: int | None
    source: str


@dataclass(frozen=True)
class Files:
    """Files to decode, and the source in words."""

    items: list[files.FileItem]
    source: str


def _open(dataset: Any, image_size: int, split: str, channels: int | None) -> Stream | Files:
    """What there is to read."""
    if isinstance(dataset, str | os.PathLike):
        return _open_path(Path(dataset), image_size, split, channels)
    if isinstance(dataset, np.ndarray | torch.Tensor):
        values = arrays.to_numpy(dataset)
        return Stream(arrays.from_array(values, None, split, image_size, channels), None, f"array {values.shape}")
    if isinstance(dataset, list | tuple):
        if not dataset:
            raise DataError("an empty list; expected arrays or paths")
        if all(isinstance(item, str | os.PathLike) for item in dataset):
            paths = [_existing(Path(item)) for item in dataset]
            if folder := next((path for path in paths if path.is_dir()), None):
                raise DataError(f"{folder} in a list of paths is a folder; expected files, or one folder alone")
            return Files([files.FileItem(path, path.as_posix()) for path in paths], f"list of {len(paths)} files")
        source = f"list of {len(dataset)} images"
        return Stream(arrays.from_items(dataset, split, image_size, channels), len(dataset), source)
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, dict):
        items_of = arrays.dataset_items(dataset)
        source = f"{type(dataset).__name__} of {len(dataset)} items"
        return Stream(arrays.from_items(items_of, split, image_size, channels), len(dataset), source)
    raise DataError(f"{type(dataset).__name__} as data; expected a path, array, tensor, list of these or torch Dataset")


def _open_path(path: Path, image_size: int, split: str, channels: int | None) -> Stream | Files:
    if _existing(path).is_dir():
        items, layout = folders.list_folder(path, split)
        return Files(items, f"{layout} {path}")
    if path.suffix.lower() in (".npy", ".npz"):
        values, labels = arrays.load_archive(path, split)
        return Stream(arrays.from_array(values, labels, split, image_size, channels), None, f"archive {path}")
    return Files([files.FileItem(path, path.name)], f"file {path}")


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder (looked from {Path.cwd()})")
    return path


def _read_files(
    found: Files,
    image_size: int,
    channels: int | None,
    select: Select,
    keep_ids: bool,
    cache: bool | str | Path,
    progress: bool,
) -> ImageSet:
    """Images of files: those kept from the last time, or decoded."""
    from joblib import Parallel, cpu_count, delayed

    started = time.monotonic()
    folder = default_folder() if isinstance(cache, bool) else Path(cache)
    settings = {"image_size": image_size, "channels": channels, "select": asdict(select), "keep_ids": keep_ids}
    kept = None if cache is False else Cache(folder, found.items, settings)
    if kept and (images := kept.load()):
        return replace(images, source=found.source)
    # decoders release the interpreter lock; results come in the order of the files
    workers = min(len(found.items), max(2, cpu_count()))
    pool = Parallel(n_jobs=workers, prefer="threads", return_as="generator")
    stream = pool(delayed(files.load)(item, image_size, channels, select, keep_ids) for item in found.items)
    blocks = chain.from_iterable(track(stream, "reading images", progress, len(found.items)))
    images = assemble(blocks, channels=channels, source=found.source)
    if kept and (cache is not True or time.monotonic() - started > WORTH_SECONDS):
        kept.store(images)
    return images


def _pass_through(images: ImageSet, image_size: int, split: str, channels: int | None) -> ImageSet:
    """An ImageSet as it is, without labelled abnormal images for training."""
    if images.pixels.shape[-2:] != (image_size, image_size):
        size = " x ".join(str(length) for length in images.pixels.shape[-2:])
        raise DataError(f"an ImageSet of {size} pixels where image_size={image_size} is asked: read the source again")
    if split == "train" and (images.labels == 1).any():
        images = images.subset(images.labels != 1)
    if channels is None or images.pixels.shape[1] == channels:
        return images
    return replace(images, pixels=with_channels(images.pixels, channels))
