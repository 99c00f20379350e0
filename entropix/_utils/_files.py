"""Output that appears whole or not at all, and is never written over something else."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def check_new_folder(folder: Path, replaceable: Collection[str] = ()) -> None:
    """Raise an error unless a folder may be written at `folder`.

    Args:
        folder: a new or empty folder.
        replaceable: names of files; a folder that holds these and no others may be replaced.

    Raises:
        FileExistsError: something else is there.
        OSError: the folder above can't be written to.
    """
    if folder.exists():
        names = {child.name for child in folder.iterdir()} if folder.is_dir() else None
        if names is None:
            raise FileExistsError(f"{folder} is a file; expected a new folder")
        if names - set(replaceable):
            raise FileExistsError(f"{folder} is not empty; choose a new folder")
    _check_writable(folder)


def check_new_file(path: Path, overwrite: bool) -> None:
    """Raise FileExistsError if `path` is a folder, or a file that is not to be replaced; OSError if not writable."""
    if path.is_dir():
        raise FileExistsError(f"{path} is a folder; expected the name of a file")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; choose another name, or replace it with --overwrite")
    _check_writable(path)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to; it replaces `folder` when the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        yield new
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed `new_folder(folder)` left behind. Only for a place that no other process writes to."""
    for scratch in folder.parent.glob(f".{glob.escape(folder.name)}-????????"):
        if {path.name for path in scratch.iterdir()} <= {"new", "old"}:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a file to write to; it replaces `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def open_table(path: Path) -> TextIO:
    """Open a CSV file to write to. Bytes of a file's name that are no text appear as \\udce9 and the like."""
    return path.open("w", newline="", encoding="utf-8", errors="backslashreplace")


def _check_writable(path: Path) -> None:
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise NotADirectoryError(f"{above} is a file; {path} cannot be below it")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(f"{above} cannot be written to; choose another place for {path}")
