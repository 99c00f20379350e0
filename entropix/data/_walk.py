"""Image files below a folder, and everything else that lies there: nothing is passed over without being named."""

from __future__ import annotations

import os
from pathlib import Path

from entropix.data._bids import NOT_RAW
from entropix.data._names import is_mask_folder
from entropix.data.formats import is_image_file, is_mask, never_image

# Images and volumes in formats that are not read. Where they are found, more is missing than a file.
OTHER_IMAGES = {
    "save it as PNG or TIFF": (
        *(".gif", ".webp", ".jp2", ".j2k", ".jls", ".heic", ".heif", ".avif", ".tga", ".ppm", ".pgm", ".pnm", ".psd"),
        *(".exr", ".dng"),
    ),
    "save its tiles as PNG or TIFF": (".svs", ".ndpi", ".mrxs", ".scn", ".czi", ".nd2", ".lif"),
    "save it as NIfTI, as 3D Slicer and SimpleITK can": (".nhdr", ".mha", ".mhd", ".mnc", ".hdr", ".img", ".img.gz"),
    "save it as NIfTI, as FreeSurfer's mri_convert does": (".mgz", ".mgh"),
    "compress it as .nii.gz": (".nii.bz2", ".nii.zst"),
}


class Walk:
    """A look into folders.

    Args:
        bids: the folder, if it is a BIDS data set: what was derived from its images is passed over.

    Attributes:
        unreadable: (path, reason) of what should be an image and can't be read.
        passed_over: (path, reason) of what is none: masks, hidden files, tables, ...
        masks: files and folders of masks among them.
    """

    def __init__(self, bids: Path | None = None) -> None:
        self._bids = bids
        self.unreadable: list[tuple[Path, str]] = []
        self.passed_over: list[tuple[Path, str]] = []
        self.masks: list[Path] = []

    def files(self, folder: Path) -> list[Path]:
        """Return image files below a folder, sorted: none that are hidden, in hidden folders or masks of images."""
        found: list[Path] = []
        visited = set()
        for parent, children, names in os.walk(folder, followlinks=True, onerror=self._closed):
            real = os.path.realpath(parent)
            # a link to a folder above would go round for ever
            children[:] = [] if real in visited else self._open_folders(Path(parent), children)
            if real not in visited:
                found += self._without_masks([path for name in names if self._is_image(path := Path(parent, name))])
            visited.add(real)
        return sorted(found, key=lambda path: path.as_posix())

    def _closed(self, error: OSError) -> None:
        self.unreadable.append((Path(error.filename), f"{type(error).__name__}: {error.strerror}"))

    def _open_folders(self, parent: Path, children: list[str]) -> list[str]:
        entered = []
        for child in sorted(children):
            if child.startswith((".", "__MACOSX")):
                self.passed_over.append((parent / child, "a hidden folder"))
            elif is_mask_folder(child):
                self.passed_over.append((parent / child, "a folder of masks, by its name"))
                self.masks.append(parent / child)
            elif parent == self._bids and child in NOT_RAW:
                self.passed_over.append((parent / child, NOT_RAW[child]))
                self.masks += [parent / child] if child == "derivatives" else []
            else:
                entered.append(child)
        return entered

    def _is_image(self, path: Path) -> bool:
        """Return whether a file is to be read; it is noted if not."""
        name = path.name.lower()
        try:
            if name.startswith("."):
                self.passed_over.append((path, "a hidden file"))
            elif never_image(path):
                self.passed_over.append((path, "an index of files"))
            elif not path.is_file():
                self.unreadable.append((path, _no_file(path)))
            elif is_image_file(path):
                return True
            elif todo := next((todo for todo, endings in OTHER_IMAGES.items() if name.endswith(endings)), ""):
                self.unreadable.append((path, f"of a format that is not read; {todo}, or take it away"))
            else:
                self.passed_over.append((path, "no image, by its name and content"))
        except OSError as error:
            self.unreadable.append((path, f"{type(error).__name__}: {error.strerror}"))
        return False

    def _without_masks(self, paths: list[Path]) -> list[Path]:
        """Return files of one folder without masks such as scan_seg.nii.gz."""
        masks = {path for path in paths if is_mask(path)}
        self.masks += sorted(masks)
        self.passed_over += [(path, "a mask, by its name") for path in sorted(masks)]
        return [path for path in paths if path not in masks]


def _no_file(path: Path) -> str:
    if not path.is_symlink():
        return "neither a file nor a folder"
    target = os.readlink(path)
    fetch = "; fetch its content: git annex get, datalad get" if "annex" in target else ""
    return f"a link to {target}, which is not there{fetch}"
