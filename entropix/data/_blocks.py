"""From decoded pixels to float32 squares of one size: the one path that images of every source take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn.functional import interpolate

from entropix.data._imageset import Origin
from entropix.exceptions import DataError

# JPEG stores grey as colour with rounding noise: a mean channel spread up to this is still grey.
GREY_SPREAD = 2 / 255
# ITU-R BT.601 weights of green and blue; red takes the rest.
GREEN, BLUE = 0.587, 0.114


@dataclass
class Decoded:
    """The decoded content of one file.

    Attributes:
        frames: arrays (c, h, w), c = 1 or 3.
        scale: "source": on [0, 1] by the source's meaning; "integer" or "float": raw values.
        numbers: number of each frame within the file, or None for a file that is one image.
        group: patient where known.
        volume: the volume that a file is one slice of.
        position: its place in the volume.
        kind: as in `Origin`.
        series: as in `Origin`.
        bits: as in `Origin`.
        identifiers: UIDs and accession number, by their names in `Origin`.
    """

    frames: list[np.ndarray]
    scale: str
    numbers: list[int] | None = None
    group: str | None = None
    volume: str = ""
    position: float = 0.0
    kind: str = ""
    series: str = ""
    bits: int = 8
    identifiers: dict[str, str] = field(default_factory=dict)


@dataclass
class Block:
    """Prepared images (b, c, s, s), the facts about them that `ImageSet` keeps, and the items that are no images."""

    pixels: torch.Tensor
    names: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    scale: str = "source"
    low: float = 0.0
    high: float = 0.0
    coloured: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)


def resize(images: torch.Tensor, image_size: int) -> torch.Tensor:
    """Resize images (b, c, h, w) to (b, c, s, s), bilinear, antialiased when shrinking; values are not rounded."""
    if images.shape[-2:] == (image_size, image_size):
        return images
    return interpolate(images, size=(image_size, image_size), mode="bilinear", antialias=True, align_corners=False)


def to_grey(images: torch.Tensor) -> torch.Tensor:
    """Return the luma (b, 1, h, w) of images (b, 3, h, w); where the channels are equal, exactly their value."""
    red, green, blue = images.split(1, dim=1)
    return red + GREEN * (green - red) + BLUE * (blue - red)


def count_coloured(images: torch.Tensor, scale: str) -> int:
    """Return how many of the images (b, 3, h, w) are more than grey images stored as colour."""
    spread = (images.amax(1) - images.amin(1)).mean((1, 2))
    full = 1.0 if scale == "source" else images.amax((1, 2, 3)) - images.amin((1, 2, 3))
    return int((spread > GREY_SPREAD * full).sum())


def to_block(
    pixels: np.ndarray,
    scale: str,
    image_size: int,
    channels: int | None,
    names: Sequence[str],
    labels: Sequence[int],
    groups: Sequence[str],
    origins: Sequence[Origin],
) -> Block:
    """Prepare b images float32 (b, c, h, w) of one shape: check and resize them, and make them grey if they are."""
    height, width = pixels.shape[-2:]
    if height < 2 or width < 2 or pixels.shape[1] < 1:
        reason = f"{pixels.shape[1]} channel(s) of {height} x {width} pixels; at least 2 x 2 are needed"
        return Block(torch.empty(0), unreadable=[(name, reason) for name in names])
    # numpy where every pixel is touched: small torch operations are slow on busy cores
    low, high = float(pixels.min()), float(pixels.max())
    keep, unreadable = list(range(len(pixels))), []
    if not math.isfinite(low + high):
        bad = (~np.isfinite(pixels)).reshape(len(pixels), -1).sum(1).tolist()
        reason = "{} of its {} values are NaN or infinite (float32 ends at 3.4e38); replace them by finite numbers"
        unreadable = [(names[i], reason.format(bad[i], pixels[i].size)) for i in keep if bad[i]]
        keep = [i for i in keep if not bad[i]]
        if not keep:
            return Block(torch.empty(0), unreadable=unreadable)
        pixels = pixels[keep]
        low, high = float(pixels.min()), float(pixels.max())
    pixels = pixels if pixels.flags.writeable else pixels.copy()  # torch warns of those that are not
    images = resize(torch.from_numpy(pixels), image_size)
    coloured = count_coloured(images, scale) if images.shape[1] == 3 else 0
    if images.shape[1] == 3 and channels != 3 and (channels == 1 or not coloured):
        images = to_grey(images)
    return Block(
        pixels=images,
        names=[names[i] for i in keep],
        labels=[labels[i] for i in keep],
        groups=[groups[i] for i in keep],
        sizes=[(height, width)] * len(keep),
        origins=[origins[i] for i in keep],
        scale=scale,
        low=low,
        high=high,
        coloured=coloured,
        unreadable=unreadable,
    )


def with_channels(images: torch.Tensor, channels: int) -> torch.Tensor:
    """Return images (b, c, s, s) with another number of channels: 1 or 3, from 1 or 3.

    Raises:
        DataError: any other change of the number.
    """
    if images.shape[1] == channels:
        return images
    if images.shape[1] == 1:
        return images.expand(-1, channels, -1, -1)
    if images.shape[1] == 3 and channels == 1:
        return to_grey(images)
    raise DataError(f"images with {images.shape[1]} channels, where {channels} are expected; convert them first")
