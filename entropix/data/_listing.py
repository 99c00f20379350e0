"""`data.json`: which files a MedIAnomaly folder lists for a split."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from entropix._utils import read_text
from entropix.data._files import FileItem
from entropix.exceptions import DataError, MissingSplitError

LISTING = "data.json"
EXPECTED = 'expected {"train": {"0": [names]}, "test": {"0": [normal names], "1": [abnormal names]}}'
LABELS = {"train": ("0",), "test": ("0", "1")}


def listed_files(root: Path, split: str) -> list[FileItem]:
    """Return the files that `data.json` lists for a split.

    Raises:
        DataError: not the expected JSON, or files that are missing or outside `images/`.
        MissingSplitError: it does not have the split.
    """
    listing, images = root / LISTING, root / "images"
    entries, groups = _read(listing, split)
    for name, _ in entries:
        _check_name(listing, images, name)
    _check_there(listing, images, [name for name, _ in entries])
    if not entries:
        raise DataError(f"{listing}: no images for split {split!r}; {EXPECTED}")
    return [FileItem(images / name, f"images/{name}", label, groups.get(name, "")) for name, label in entries]


def _read(listing: Path, split: str) -> tuple[list[tuple[Any, int]], dict[str, str]]:
    """Return what should be the name, and is the label, of each file of a split; and the patients of all files."""
    try:
        content = json.loads(read_text(listing))
        if isinstance(content, dict) and split not in content:
            raise MissingSplitError(f"{listing}: no {split!r} in it; {EXPECTED}")
        entries = [(name, int(label)) for label in LABELS[split] for name in content[split][label]]
        return entries, {str(name): str(group) for name, group in content.get("groups", {}).items()}
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{listing}: {type(error).__name__}: {error}; {EXPECTED}") from None


def _check_name(listing: Path, images: Path, name: Any) -> None:
    """Raise DataError unless `name` is that of a file below `images`."""
    if not isinstance(name, str) or not name:
        raise DataError(f"{listing}: {name!r} is not a file name; {EXPECTED}")
    # checked as text, for both kinds of path, so that links within the data set stay usable
    for kind in (PurePosixPath(name), PureWindowsPath(name)):
        if kind.is_absolute() or kind.drive or ".." in kind.parts:
            raise DataError(f"{listing}: {name!r} leads outside {images}; expected names of files in it")


def _check_there(listing: Path, images: Path, names: list[str]) -> None:
    """Raise DataError if files are missing."""
    missing = [name for name in names if not (images / name).is_file()]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DataError(f"{listing}: {len(missing)} of {len(names)} files are not in {images}: {shown}")
