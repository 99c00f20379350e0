"""The folder: `images/` of 8-bit grey PNG files, `data.json` with the split, `masks/` where there are any.

The layout of MedIAnomaly, with the patient of each image beside (`groups`), so that no patient straddles a split.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from entropix._utils import as_path, check_new_folder, check_seed, new_folder, track
from entropix.data._select import Select
from entropix.data.conversion._recipes import BRATS_SIDE, RECIPES, Parts, Scan
from entropix.data.formats import as_seen, by_number, canonical_mask, decode
from entropix.exceptions import DataError

LONGEST_SIDE = 512


def convert(name: str, source: str | Path, out: str | Path, *, seed: int = 0, progress: bool = False) -> dict[str, int]:
    """Write a published set as a folder that every command reads; return the numbers of images in its parts.

    Images are what the reader shows of the files, at most 512 pixels long.

    Args:
        name: of the set: "rsna", "vindr-cxr", "brain-tumor" or "brats2021".
        source: folder of the set as it is published.
        out: new folder.
        seed: of the split.
        progress: show a bar on standard error, if that is a terminal.

    Raises:
        DataError: an unknown name, or a source that is not as published; the message says what is missing.
        FileExistsError: `out` is in use.
    """
    if name not in RECIPES:
        raise DataError(f"{name!r} is no known data set; expected one of {', '.join(RECIPES)}")
    source, out = as_path(source, "source"), as_path(out, "out")
    check_seed(seed)
    check_new_folder(out)
    recipe = RECIPES[name]
    parts = recipe.find(source, recipe.sizes, np.random.default_rng(seed))
    counts = {part: len(scans) for part, scans in vars(parts).items()}
    if not all(counts.values()):
        raise DataError(f"{source}: leaves {counts}; every part needs images")
    with new_folder(out) as scratch:
        (scratch / "images").mkdir()
        by_file: dict[Path, list[Scan]] = defaultdict(list)
        for scan in (*parts.train, *parts.test_normal, *parts.test_abnormal):
            by_file[scan.path].append(scan)
        for path, scans in track(list(by_file.items()), "writing images", progress):
            _write(scratch, path, scans)
        (scratch / "data.json").write_text(json.dumps(_listing(parts), indent=1), encoding="utf-8")
    return counts


def _listing(parts: Parts) -> dict[str, dict[str, object]]:
    def names(scans: list[Scan]) -> list[str]:
        return [f"{scan.name}.png" for scan in scans]

    scans = (*parts.train, *parts.test_normal, *parts.test_abnormal)
    return {
        "train": {"0": names(parts.train)},
        "test": {"0": names(parts.test_normal), "1": names(parts.test_abnormal)},
        "groups": {f"{scan.name}.png": scan.group for scan in scans if scan.group},
    }


def _write(folder: Path, path: Path, scans: list[Scan]) -> None:
    """Write images, and masks where there are any, of the scans of one file."""
    try:
        decoded = decode(path, Select(), keep_ids=False)
        low_high = (0.0, 1.0) if decoded.scale == "source" else _range(decoded.frames)
        frames = by_number(decoded)
    except Exception as error:  # as in `load` of `_files`: a damaged file makes its reader raise almost anything
        raise DataError(f"{path}: {error}") from None
    for scan in scans:
        if scan.slice not in frames:
            raise DataError(f"{path}: slice {scan.slice} is empty")
        frame = (frames[scan.slice] - low_high[0]) / (low_high[1] - low_high[0])
        _save(folder / "images" / f"{scan.name}.png", _square(frame.mean(0)) if scan.mask else frame.mean(0))
        if scan.mask and scan.slice is not None:
            _write_mask(folder / "masks" / f"{scan.name}.png", scan.mask, path, scan.slice)


def _write_mask(path: Path, mask: Path, image: Path, number: int) -> None:
    plane = canonical_mask(mask, image)[..., number]
    path.parent.mkdir(exist_ok=True)
    _save(path, _square(as_seen(plane).astype(np.float32)))


def _range(frames: list[np.ndarray]) -> tuple[float, float]:
    low, high = min(float(one.min()) for one in frames), max(float(one.max()) for one in frames)
    return low, high if high > low else low + 1


def _square(image: np.ndarray) -> np.ndarray:
    """Return the middle of a BraTS slice, without the empty margin."""
    top, left = (max((length - BRATS_SIDE) // 2, 0) for length in image.shape)
    return image[top : top + BRATS_SIDE, left : left + BRATS_SIDE]


def _save(path: Path, image: np.ndarray) -> None:
    """Write a grey image (h, w) on [0, 1] as 8-bit PNG, at most `LONGEST_SIDE` long."""
    from PIL import Image

    if max(image.shape) > LONGEST_SIDE:
        shrink = LONGEST_SIDE / max(image.shape)
        size = [max(round(length * shrink), 2) for length in image.shape]
        tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None, None]
        image = interpolate(tensor, size=size, mode="bilinear", antialias=True)[0, 0].numpy()
    Image.fromarray(np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)).save(path)
