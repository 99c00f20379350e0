"""Which files of a folder belong to a split, and what their place in it says about them.

Layouts, in the order in which they are looked for:

1. MedIAnomaly: `data.json` with `train.0`, `test.0` (normal) and `test.1` (abnormal), files in `images/`; optional
   `groups`, the patient of each file.
2. Split folders: `train/good`, `test/good`, `test/<defect>`. `train` may hold images or patient folders
   directly: all of them are taken for normal. Names in any case; good, normal and healthy mean normal.
3. Class folders: `normal/` beside others, which are abnormal.
4. Plain: everything below the folder, labels unknown.
"""

from __future__ import annotations

import os
from pathlib import Path

from entropix.data._files import FileItem
from entropix.data._listing import LISTING, listed_files
from entropix.data.formats import format_names, in_words, is_image_file, is_mask
from entropix.exceptions import DataError, MissingSplitError

NORMAL_NAMES = frozenset({"good", "normal", "healthy"})
SPLIT_NAMES = {"train": ("train", "training"), "test": ("test", "testing")}
# Beside the images in some data sets: pictures of where the defect is, not images to read.
MASK_NAMES = frozenset({"ground_truth", "annotation", "annotations", "mask", "masks"})


def list_folder(root: Path, split: str) -> tuple[list[FileItem], str]:
    """Return the files of a split in a fixed order, and the layout in words.

    Raises:
        DataError: the folder holds nothing to read, or its layout lacks the split.
    """
    items, layout = _find(root, split)
    if not items:
        wanted = f"{in_words(format_names())} files"
        raise DataError(f"{root}: no images for split {split!r} in this {layout}; expected {wanted}")
    return items, layout


def _find(root: Path, split: str) -> tuple[list[FileItem], str]:
    """Return what `list_folder` does, of which there may be none."""
    if (root / LISTING).is_file():
        return listed_files(root, split), "MedIAnomaly folder"
    folders = {child.name.lower(): child for child in sorted(root.iterdir()) if child.is_dir()}
    splits = {
        name: next((folders[alias] for alias in aliases if alias in folders), None)
        for name, aliases in SPLIT_NAMES.items()
    }
    if any(splits.values()):
        return _split_folders(root, splits, split), "folder with train and test"
    if NORMAL_NAMES & set(folders):
        items = _class_folders(root, root)
        return [item for item in items if split == "test" or item.label == 0], "folder of classes"
    return [FileItem(path, _name(path, root)) for path in image_files(root)], "folder"


def image_files(folder: Path) -> list[Path]:
    """Return image files below a folder, sorted: none that are hidden, in hidden folders or masks of images there."""
    found: list[Path] = []
    visited = set()
    for parent, children, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        hidden = [child for child in children if child.startswith((".", "__MACOSX")) or child.lower() in MASK_NAMES]
        # a link to a folder above would go round for ever
        children[:] = [] if real in visited else sorted(set(children) - set(hidden))
        if real not in visited:
            found += _without_masks([Path(parent, name) for name in names if is_image_file(Path(parent, name))])
        visited.add(real)
    return sorted(found, key=lambda path: path.as_posix())


def _without_masks(paths: list[Path]) -> list[Path]:
    """Return files of one folder without masks such as scan_seg.nii.gz; a folder of nothing but masks is kept."""
    return [path for path in paths if not is_mask(path)] or paths


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _class_folders(folder: Path, root: Path) -> list[FileItem]:
    """Return files of `folder`, labelled by the class folder they are in; files directly in it are unknown."""
    items = []
    for path in image_files(folder):
        parts = path.relative_to(folder).parts
        label = -1 if len(parts) == 1 else int(parts[0].lower() not in NORMAL_NAMES)
        items.append(FileItem(path, _name(path, root), label))
    return items


def _split_folders(root: Path, splits: dict[str, Path | None], split: str) -> list[FileItem]:
    """Return files of `train/...` (normal ones only) or `test/...`."""
    folder = splits[split]
    if folder is None:
        other = "test" if split == "train" else "train"
        raise MissingSplitError(
            f"{root}: has a {other} folder but no {split} folder; to read all of one, pass that folder itself"
        )
    classes = {
        name: {child.name.lower() for child in path.iterdir() if child.is_dir()} - MASK_NAMES if path else set()
        for name, path in splits.items()
    }
    if NORMAL_NAMES & classes[split] or (split == "test" and classes["test"]):
        items = _class_folders(folder, root)
        return items if split == "test" else [item for item in items if item.label == 0]
    shared = sorted(classes["train"] & classes["test"])
    if shared:
        raise DataError(
            f"{root}: cannot tell which class is normal: train and test both have {', '.join(shared)}, "
            "and none is named good, normal or healthy. Rename the normal one, or pass its folder itself"
        )
    label = 0 if split == "train" else -1
    return [FileItem(path, _name(path, root), label) for path in image_files(folder)]
