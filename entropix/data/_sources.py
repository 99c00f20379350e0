"""What there is to read of a source: images that come in blocks, or files that are to be decoded."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from entropix._utils import plain
from entropix.data._arrays import dataset_items, from_array, from_items, load_archive, to_numpy
from entropix.data._blocks import Block
from entropix.data._choice import Choice, nothing_chosen
from entropix.data._files import FileItem
from entropix.data._folders import list_folder
from entropix.data._names import case_and_contrast
from entropix.data._passed_over import in_short
from entropix.data.formats import format_names, in_words, is_mask
from entropix.exceptions import DataError


@dataclass(frozen=True)
class Stream:
    """Blocks of images that are in memory or made one by one, how many steps they take, and the source in words."""

    blocks: Iterable[list[Block]]
    total: int | None
    source: str


@dataclass(frozen=True)
class Files:
    """Files to decode, of which there may be none.

    Attributes:
        items: the files.
        source: in words.
        unreadable, passed_over: what else is there, as in `Listing` of `_folders`.
        problem: why a reading of these files is to be refused, or "".
    """

    items: list[FileItem]
    source: str
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""


def open_source(dataset: Any, image_size: int, split: str, channels: int | None, choice: Choice) -> Stream | Files:
    """Return what there is to read.

    Args:
        dataset, image_size, split, channels: as for `read`; an `ImageSet` is none.
        choice: which files of it.

    Raises:
        DataError: nothing that can be read, or a path that does not exist.
    """
    found = _open(plain(dataset), image_size, split, channels)
    if isinstance(found, Files):
        return _chosen(found, choice, split)
    if choice.include or choice.exclude:
        raise DataError(f"include and exclude choose files by their names; {found.source} has none")
    return found


def _chosen(found: Files, choice: Choice, split: str) -> Files:
    """Return the files that are to be read; the others are passed over."""
    reasons = {item.name: choice.reason_against(item) for item in found.items}
    items = [_grouped(item) for item in found.items if not reasons[item.name]]
    left_out = [(name, reason) for name, reason in reasons.items() if reason]
    left_out += [(name, reason) for name, _ in found.unreadable if (reason := choice.excludes(name))]
    unreadable = [entry for entry in found.unreadable if not choice.excludes(entry[0])]
    passed_over = found.passed_over + left_out
    if items:
        problem = choice.several_contrasts(items)
    elif found.items:
        problem = nothing_chosen(found.source, choice, left_out)
    else:
        wanted = f"{in_words(format_names())} files"
        there = "; ".join(in_short(unreadable + passed_over))
        told = f"; what lies there is none: {there}" if there else ""
        problem = f"{found.source}: no images for split {split!r}; expected {wanted}{told}"
    return Files(items, found.source, unreadable, passed_over, problem)


def _grouped(item: FileItem) -> FileItem:
    """Return a file with its group: what its name says it is of, or its folder if it is called as a contrast only."""
    case, contrast = case_and_contrast(item.path.as_posix())
    if item.group or not contrast:
        return item
    folder = PurePosixPath(item.name).parent
    return replace(item, group=case or (folder.as_posix() if folder.name else item.path.parent.name))


def _open(dataset: Any, image_size: int, split: str, channels: int | None) -> Stream | Files:
    if isinstance(dataset, str | os.PathLike):
        if not os.fspath(dataset):
            raise DataError("an empty text as data; expected a path, '.' for the current folder")
        return _open_path(Path(dataset), image_size, split, channels)
    if isinstance(dataset, np.ndarray | torch.Tensor):
        values = to_numpy(dataset)
        return Stream(from_array(values, None, split, image_size, channels), None, f"array {values.shape}")
    if isinstance(dataset, list | tuple):
        return _open_list(dataset, image_size, split, channels)
    if hasattr(dataset, "columns") and hasattr(dataset, "dtypes"):
        raise DataError(f"{type(dataset).__name__}: a table; expected images, or one column of paths: table['path']")
    if isinstance(dataset, torch.utils.data.DataLoader):
        raise DataError("DataLoader: batches, in an order of its own; pass what it reads from, loader.dataset")
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, dict | bytes):
        source = f"{type(dataset).__name__} of {len(dataset)} items"
        return Stream(from_items(dataset_items(dataset), split, image_size, channels), len(dataset), source)
    hint = "; make a list of it: list(...)" if hasattr(dataset, "__iter__") else ""
    raise DataError(
        f"{type(dataset).__name__} as data; expected a path, array, tensor, list of these or torch Dataset{hint}"
    )


def _open_path(path: Path, image_size: int, split: str, channels: int | None) -> Stream | Files:
    if "*" in str(path) and not path.exists():
        return _matching(path)
    if _existing(path).is_dir():
        found = list_folder(path, split)
        return Files(found.items, f"{found.layout} {path}", found.unreadable, found.passed_over)
    if path.suffix.lower() in (".npy", ".npz"):
        values, labels = load_archive(path, split)
        return Stream(from_array(values, labels, split, image_size, channels), None, f"archive {path}")
    return Files([FileItem(path, path.name)], f"file {path}")


def _open_list(items: Any, image_size: int, split: str, channels: int | None) -> Stream | Files:
    """Return what a list or tuple of paths or of images holds."""
    if not items:
        raise DataError("an empty list; expected arrays or paths")
    if not all(isinstance(item, str | os.PathLike) for item in items):
        source = f"list of {len(items)} images"
        return Stream(from_items(items, split, image_size, channels), len(items), source)
    paths = [_existing(Path(item)) for item in items]
    if folder := next((path for path in paths if path.is_dir()), None):
        raise DataError(f"{folder} in a list of paths is a folder; expected files, or one folder alone")
    return Files([FileItem(path, path.as_posix()) for path in paths], f"list of {len(paths)} files")


def _matching(pattern: Path) -> Files:
    """Return the files that a path with * stands for, but for masks, unless all are."""
    found = _expanded(pattern)
    masks = [path for path in found if is_mask(path)]
    if len(masks) == len(found):
        masks = []
    left_out = set(masks)
    images = [FileItem(path, path.as_posix()) for path in found if path not in left_out]
    passed_over = [(path.as_posix(), "a mask, by its name") for path in masks]
    return Files(images, f"list of {len(images)} files", passed_over=passed_over)


def _expanded(pattern: Path) -> list[Path]:
    """Return the files that a path with * stands for."""
    anchor = Path(pattern.anchor or ".")
    found = sorted(path for path in anchor.glob(str(pattern.relative_to(pattern.anchor))) if path.is_file())
    if not found:
        raise DataError(f"{pattern}: no file matches (looked from {Path.cwd()})")
    return found


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder (looked from {Path.cwd()})")
    return path
