"""`read`: any source to an `ImageSet`."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from entropix.data import arrays, files, folders
from entropix.data.assemble import assemble, describe
from entropix.data.imageset import DataError, ImageSet
from entropix.data.prepare import Block, with_channels

PROGRESS_AFTER_SECONDS = 1.0


def read(
    dataset: Any,
    *,
    image_size: int = 64,
    split: str = "train",
    channels: int | None = None,
    skip_unreadable: bool = False,
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
        skip_unreadable: leave out what cannot be read and list it in `unreadable`.
        progress: show a bar on standard error if reading takes long and that is a terminal.

    Raises:
        DataError: unknown path, nothing to read, an unreadable item (unless skipped), NaN or infinite values,
            a wrong shape, dtype or label.
    """
    if isinstance(image_size, bool) or not isinstance(image_size, int | np.integer) or image_size < 2:
        raise DataError(f"image_size={image_size!r}; expected a whole number of pixels, at least 2")
    if split not in ("train", "test"):
        raise DataError(f"split={split!r}; expected 'train' or 'test'")
    if channels is not None and (not isinstance(channels, int) or channels < 1):
        raise DataError(f"channels={channels!r}; expected 1 (grey), 3 (colour), the array's own number, or None")
    if isinstance(dataset, ImageSet):
        return _pass_through(dataset, image_size, split, channels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers warn about headers; what matters shows in the values
        stream, total, source = _open(dataset, int(image_size), split, channels)
        blocks = [block for group in _track(stream, total, progress) for block in group]
    unreadable = [entry for block in blocks for entry in block.unreadable]
    if unreadable and not skip_unreadable:
        raise DataError(
            f"{source}: {len(unreadable)} unreadable: {describe(unreadable)}. "
            "Repair or remove them, or leave them out with skip_unreadable=True (--skip-unreadable)"
        )
    return assemble(blocks, channels=channels, source=source)


def _open(
    dataset: Any, image_size: int, split: str, channels: int | None
) -> tuple[Iterable[list[Block]], int | None, str]:
    """A stream of blocks, the number of its steps where known, and the source in words."""
    if isinstance(dataset, str | os.PathLike):
        return _open_path(Path(dataset), image_size, split, channels)
    if isinstance(dataset, np.ndarray | torch.Tensor):
        values = arrays.to_numpy(dataset)
        return arrays.from_array(values, None, split, image_size, channels), None, f"array {values.shape}"
    if isinstance(dataset, list | tuple):
        if not dataset:
            raise DataError("an empty list; expected arrays or paths")
        if all(isinstance(item, str | os.PathLike) for item in dataset):
            paths = [_existing(Path(item)) for item in dataset]
            if folder := next((path for path in paths if path.is_dir()), None):
                raise DataError(f"{folder} in a list of paths is a folder; expected files, or one folder alone")
            items = [files.FileItem(path, path.as_posix()) for path in paths]
            return _load_files(items, image_size, channels), len(items), f"list of {len(items)} files"
        source = f"list of {len(dataset)} images"
        return arrays.from_items(dataset, split, image_size, channels), len(dataset), source
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, dict):
        items_of = arrays.dataset_items(dataset)
        source = f"{type(dataset).__name__} of {len(dataset)} items"
        return arrays.from_items(items_of, split, image_size, channels), len(dataset), source
    raise DataError(f"{type(dataset).__name__} as data; expected a path, array, tensor, list of these or torch Dataset")


def _open_path(
    path: Path, image_size: int, split: str, channels: int | None
) -> tuple[Iterable[list[Block]], int | None, str]:
    if _existing(path).is_dir():
        items, layout = folders.list_folder(path, split)
        return _load_files(items, image_size, channels), len(items), f"{layout} {path}"
    if path.suffix.lower() in (".npy", ".npz"):
        values, labels = arrays.load_archive(path, split)
        return arrays.from_array(values, labels, split, image_size, channels), None, f"archive {path}"
    return _load_files([files.FileItem(path, path.name)], image_size, channels), 1, f"file {path}"


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder (looked from {Path.cwd()})")
    return path


def _load_files(items: list[files.FileItem], image_size: int, channels: int | None) -> Iterable[list[Block]]:
    """Decode in threads (decoders release the interpreter lock), results in the order of `items`."""
    if len(items) == 1:
        return iter([files.load(items[0], image_size, channels)])
    from joblib import Parallel, cpu_count, delayed

    pool = Parallel(n_jobs=max(2, cpu_count()), prefer="threads", return_as="generator")
    return pool(delayed(files.load)(item, image_size, channels) for item in items)


def _track(stream: Iterable[list[Block]], total: int | None, progress: bool) -> Iterator[list[Block]]:
    """Pass the stream on, with a bar on standard error once it has taken a while."""
    if not progress or total is None:
        yield from stream
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield from stream
        return
    columns = ("reading images", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("reading", total=total)
    started = time.monotonic()
    try:
        for group in stream:
            yield group
            bar.advance(task)
            if not bar.live.is_started and time.monotonic() - started > PROGRESS_AFTER_SECONDS:
                bar.start()
    finally:
        bar.stop()


def _pass_through(images: ImageSet, image_size: int, split: str, channels: int | None) -> ImageSet:
    """An ImageSet as it is, without labelled abnormal images for training."""
    if images.images.shape[-2:] != (image_size, image_size):
        size = " x ".join(str(length) for length in images.images.shape[-2:])
        raise DataError(f"an ImageSet of {size} pixels where image_size={image_size} is asked: read the source again")
    if split == "train" and (images.labels == 1).any():
        images = images.subset(images.labels != 1)
    if channels is None or images.images.shape[1] == channels:
        return images
    return replace(images, images=with_channels(images.images, channels))
