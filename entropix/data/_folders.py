"""Which files of a folder belong to a split, and what their place in it says about them.

Layouts, in the order in which they are looked for:

1. MedIAnomaly: `data.json` with `train.0`, `test.0` (normal) and `test.1` (abnormal), files in `images/`; optional
   `groups`, the patient of each file.
2. Split folders: `train/good`, `test/good`, `test/<defect>`. `train` may hold images or patient folders
   directly: all of them are taken for normal. Names in any case; good, normal and healthy mean normal.
3. Class folders: `normal/` beside others, which are abnormal.
4. BIDS: `dataset_description.json`, or folders `sub-*`; everything below but `derivatives`, `sourcedata` and `code`.
5. Plain: everything below the folder, labels unknown.

Masks are found, not read (`_truth`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from entropix.data._bids import is_bids
from entropix.data._files import FileItem
from entropix.data._listing import LISTING, listed_files
from entropix.data._names import is_mask_folder
from entropix.data._truth import with_masks
from entropix.data._walk import Walk
from entropix.exceptions import DataError, MissingSplitError

NORMAL_NAMES = frozenset({"good", "normal", "healthy"})
SPLIT_NAMES = {"train": ("train", "training"), "test": ("test", "testing")}


@dataclass(frozen=True)
class Listing:
    """Files of a folder to read, in a fixed order, of which there may be none, and what else lies there.

    Attributes:
        items: the files.
        layout: of the folder, in words.
        unreadable: (name, reason) of what should be an image and can't be read.
        passed_over: (name, reason) of what is no image, or no part of the layout.
    """

    items: list[FileItem]
    layout: str
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)


def list_folder(root: Path, split: str) -> Listing:
    """Return the files of a split.

    Raises:
        DataError: the folder's layout lacks the split, or doesn't say which images are normal.
    """
    walk = Walk(root if is_bids(root) else None)
    items, layout = _find(root, split, walk)
    unreadable, passed_over = (
        [(_name(path, root), reason) for path, reason in entries] for entries in (walk.unreadable, walk.passed_over)
    )
    return Listing(with_masks(items, walk.masks, root), layout, unreadable, passed_over)


def _find(root: Path, split: str, walk: Walk) -> tuple[list[FileItem], str]:
    """Return the files of a split, of which there may be none, and the layout in words."""
    children = sorted(root.iterdir())
    folders = {child.name.lower(): child for child in children if child.is_dir()}
    masks = [child for child in folders.values() if is_mask_folder(child.name)]
    if (root / LISTING).is_file():
        walk.masks += masks
        return listed_files(root, split), "MedIAnomaly folder"
    splits = {
        name: next((folders[alias] for alias in aliases if alias in folders), None)
        for name, aliases in SPLIT_NAMES.items()
    }
    if any(splits.values()):
        beside = set(children) - set(splits.values())
        walk.passed_over += [(child, "beside train and test") for child in sorted(beside)]
        walk.masks += masks
        return _split_folders(root, splits, split, walk), "folder with train and test"
    if NORMAL_NAMES & set(folders):
        return _class_folders(root, root, split, walk), "folder of classes"
    layout = "BIDS folder" if is_bids(root) else "folder"
    return [FileItem(path, _name(path, root)) for path in walk.files(root)], layout


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _class_folders(folder: Path, root: Path, split: str, walk: Walk) -> list[FileItem]:
    """Return files of `folder`, labelled by the class folder they are in; files directly in it are unknown.

    For training only those of normal classes.
    """
    items = []
    for path in walk.files(folder):
        parts = path.relative_to(folder).parts
        label = -1 if len(parts) == 1 else int(parts[0].lower() not in NORMAL_NAMES)
        if split == "test" or label == 0:
            items.append(FileItem(path, _name(path, root), label))
        elif label < 0:
            walk.passed_over.append((path, "beside the folders of classes"))
    return items


def _split_folders(root: Path, splits: dict[str, Path | None], split: str, walk: Walk) -> list[FileItem]:
    """Return files of `train/...` (normal ones only) or `test/...`."""
    folder = splits[split]
    if folder is None:
        other = "test" if split == "train" else "train"
        raise MissingSplitError(
            f"{root}: has a {other} folder but no {split} folder; to read all of one, pass that folder itself"
        )
    classes = {name: _classes(path) if path else set() for name, path in splits.items()}
    if NORMAL_NAMES & classes[split] or (split == "test" and classes["test"]):
        return _class_folders(folder, root, split, walk)
    shared = sorted(classes["train"] & classes["test"])
    if shared:
        raise DataError(
            f"{root}: cannot tell which class is normal: train and test both have {', '.join(shared)}, "
            "and none is named good, normal or healthy. Rename the normal one, or pass its folder itself"
        )
    label = 0 if split == "train" else -1
    return [FileItem(path, _name(path, root), label) for path in walk.files(folder)]


def _classes(folder: Path) -> set[str]:
    """Return the names of the folders in `folder` that hold images of a class."""
    return {child.name.lower() for child in folder.iterdir() if child.is_dir() and not is_mask_folder(child.name)}
