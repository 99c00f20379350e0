"""From prepared blocks to one `ImageSet`: one number of channels, one scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch

from entropix.data._blocks import Block, with_channels
from entropix.data._imageset import ROUNDING, ImageSet
from entropix.data._select import Select
from entropix.data._spool import Spool, allocate
from entropix.exceptions import DataError

# Radiographs are CR or DX, depending on the detector that took them, but one kind of image.
SAME_KIND = {"DICOM CR": "DICOM DX"}


def assemble(arriving: Iterable[Block], *, channels: int | None, source: str) -> ImageSet:
    """Return one ImageSet of all blocks, in their order: with one number of channels, on one scale.

    The set is in colour if most of its images are: marks and tints on a few scans are not the subject.
    Where images have no common channels or no common scale, that is its `problem`.
    """
    spool, blocks, unreadable, passed_over = Spool(), [], [], []
    for block in arriving:
        unreadable += block.unreadable
        passed_over += block.passed_over
        if block.names:
            spool.add(block.pixels)
            blocks.append(replace(block, pixels=block.pixels.new_empty(0, *block.pixels.shape[1:])))
    if not blocks:
        return _nothing(unreadable, passed_over, source)
    found = {block.pixels.shape[1] for block in blocks}
    count = sum(len(block.names) for block in blocks)
    if channels is None:
        coloured = 2 * sum(block.coloured for block in blocks) > count
        channels = (3 if coloured else 1) if found <= {1, 3} else max(found)
    raw = [block for block in blocks if block.scale != "source"]
    unit = all(block.scale == "float" and block.low >= -ROUNDING and block.high <= 1 + ROUNDING for block in raw)
    problem = ""
    if raw and not unit and len(raw) < len(blocks):
        example = next(block for block in blocks if block.scale == "source")
        problem = (
            f"{source}: images on different scales: {example.names[0]} is 8-bit or windowed (on [0, 1]), "
            f"{raw[0].names[0]} has raw values from {raw[0].low:g} to {raw[0].high:g}. "
            "Read them apart, or convert them to one bit depth."
        )
    natural = not raw or unit
    images, start = allocate((count, channels, *blocks[0].pixels.shape[2:])), 0
    for part in spool:
        rows = images[start : start + len(part)]
        try:
            rows.copy_(with_channels(part, channels))
        except DataError as error:
            problem = str(error)
            rows.copy_(part.mean(1, keepdim=True))
        if natural:
            rows.clamp_(0, 1)
        start += len(part)
    return ImageSet(
        pixels=images,
        names=[name for block in blocks for name in block.names],
        labels=np.array([label for block in blocks for label in block.labels], dtype=np.int64),
        groups=[group for block in blocks for group in block.groups],
        sizes=np.array([size for block in blocks for size in block.sizes], dtype=np.int64),
        natural_scale=natural,
        inferred_scale=bool(raw) and unit,
        unreadable=unreadable,
        passed_over=passed_over,
        source=source,
        problem=problem,
        origins=[origin for block in blocks for origin in block.origins],
    )


def _nothing(unreadable: list[tuple[str, str]], passed_over: list[tuple[str, str]], source: str) -> ImageSet:
    empty = np.zeros(0, dtype=np.int64)
    images, sizes = torch.empty(0, 1, 2, 2), empty.reshape(0, 2)
    return ImageSet(images, [], empty, [], sizes, True, False, unreadable, passed_over, source)


def several_modalities(images: ImageSet, select: Select) -> str:
    """Return why images are not for one model: several DICOM modalities, of which no series was chosen; or ""."""
    kinds = Counter(origin.kind for origin in images.origins if origin.kind.startswith("DICOM "))
    if select.series is not None or len({SAME_KIND.get(kind, kind) for kind in kinds}) < 2:
        return ""
    found = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    names = Counter(origin.series or "without a name" for origin in images.origins)
    series = ", ".join(f"{name} ({count})" for name, count in names.most_common(10))
    return (
        f"{images.source}: images of several modalities: {found}. Choose a series by its description, number or "
        f"UID with select=Select(series=...) (--select series=...), * for all. Series: {series}"
    )


def describe(unreadable: list[tuple[str, str]], limit: int = 5) -> str:
    """Return the first few unreadable items and their reasons, for an error message."""
    lines = [f"{name}: {reason}" for name, reason in unreadable[:limit]]
    more = len(unreadable) - limit
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")
