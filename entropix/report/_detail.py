"""Images as people look at them: in their own shape, and finer than a model sees them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from entropix.data import ImageSet, Scaling, read
from entropix.detector import EntropixDetector


def in_detail(
    detector: EntropixDetector,
    source: Any,
    images: ImageSet,
    chosen: np.ndarray,
    longest: int,
    split: str = "test",
) -> list[np.ndarray]:
    """Return the chosen images (c, h, w) on [0, 1], in their true aspect, with sides of at most `longest` pixels.

    Of files only those of the chosen images are read again; an array or data set is read again whole. What lies in
    memory as an `ImageSet` has the model's resolution and no other.

    Args:
        detector: that the images were read for.
        source: what they were read from.
        images: as `detector.read` gave them.
        chosen: indices (m,).
        longest: most pixels of a side.
        split: "train" or "test", as they were read.
    """
    scaling = images.scaling(detector.value_range_)
    files: dict[Path, list[int]] = defaultdict(list)
    for i in chosen.tolist():
        if (path := images.origins[i].path) is not None:
            files[path].append(i)
    found: dict[int, Tensor] = {}
    for path, of_file in files.items():
        finer = _finer(detector, [path], images, of_file, longest, split)
        row = {origin.frame: j for j, origin in enumerate(finer.origins)}
        found |= {i: finer.pixels[row[images.origins[i].frame]] for i in of_file}
    if rest := [i for i in chosen.tolist() if i not in found]:
        finer = images if isinstance(source, ImageSet) else _finer(detector, source, images, rest, longest, split)
        found |= {i: finer.pixels[i] for i in rest}
    return [_shaped(found[i], images.sizes[i], longest, scaling) for i in chosen.tolist()]


def _finer(
    detector: EntropixDetector, source: Any, images: ImageSet, of: list[int], longest: int, split: str
) -> ImageSet:
    size = max(2, min(longest, int(images.sizes[of].max())))
    options: dict[str, Any] = {"channels": detector.model_.channels, "select": images.select, "skip_unreadable": True}
    return read(source, image_size=size, split=split, cache=False, **options)


def _shaped(square: Tensor, size: np.ndarray, longest: int, scaling: Scaling) -> np.ndarray:
    """Return a square image (c, s, s) in the aspect of `size` (h, w)."""
    height, width = (max(1, round(side * min(1, longest / size.max()))) for side in size.tolist())
    wanted: Any = torch.nn.functional.interpolate(square[None], (height, width), mode="bilinear", antialias=True)
    return scaling(wanted)[0].numpy()
