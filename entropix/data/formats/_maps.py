"""Heat maps on their way to files: what is known of them, and the folder that they go to."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import torch

from entropix.data._select import Select


class Box(Protocol):
    """A part of an image that stands out: half-open rows and columns, largest surprise and sum (`entropix.Region`)."""

    @property
    def top(self) -> int: ...
    @property
    def left(self) -> int: ...
    @property
    def bottom(self) -> int: ...
    @property
    def right(self) -> int: ...
    @property
    def peak(self) -> float: ...
    @property
    def nats(self) -> float: ...


@dataclass(frozen=True)
class HeatMap:
    """The heat map of one image, and what else was found of it.

    Attributes:
        name: of the image in its set.
        frame: its number in its file, None for a file that is one image.
        small: nats per pixel (s, s), in the model's size.
        size: height and width (h, w) of the image.
        score: of the image, in nats.
        p_value: of the score.
        regions: what lies above the level of the folder (`MapFolder.level`).
        anomalous: the decision, where a false discovery rate made it; None: by alpha (`MapFolder.alpha`).
    """

    name: str
    frame: int | None
    small: np.ndarray
    size: Sequence[int]
    score: float
    p_value: float
    regions: Sequence[Box] = ()
    anomalous: bool | None = None

    @property
    def values(self) -> np.ndarray:
        """Nats per pixel (h, w) float32, in the size of the image."""
        return resize_map(self.small, self.size)


@dataclass(frozen=True)
class FileMaps:
    """The heat maps of the images of one file, of which some may have none.

    Attributes:
        path: the file.
        maps: one or more.
    """

    path: Path
    maps: Sequence[HeatMap]

    @property
    def name(self) -> str:
        """The file's name in the set: that of its images without their number."""
        first = self.maps[0]
        return first.name if first.frame is None else first.name.removesuffix(f"#{first.frame}")

    def by_frame(self) -> dict[int, np.ndarray]:
        """Return the values (h, w) of the maps by the number of their frame, which is 0 in a file that is one image."""
        return {one.frame or 0: one.values for one in self.maps}


@dataclass(frozen=True)
class MapFolder:
    """A folder of heat maps, and what all of them share.

    Attributes:
        path: the folder.
        level: nats per pixel that the map of a normal image exceeds anywhere with the probability `alpha` only.
        alpha: false-positive rate.
        largest: nats per pixel of all maps.
        natural_scale: whether images are on [0, 1]; others are drawn from their lowest to their highest value.
        select: which part of the files was read.
        keep_ids: whether maps say who the patient is.
        dicom: kinds of objects that are written of DICOM files (`dicom_kinds`).
        token: text that no other folder has.
    """

    path: Path
    level: float
    alpha: float
    largest: float
    natural_scale: bool
    select: Select
    keep_ids: bool
    dicom: Sequence[str]
    token: str = field(default_factory=secrets.token_hex)

    @property
    def top(self) -> float:
        """Nats per pixel at the upper end of the colours, so that normal images, below the level, stay dark."""
        return 2 * self.level

    def place(self, name: str, suffix: str) -> Path:
        """Return where the map of an image or file of that name goes; the folder above it is made.

        Args:
            name: in the set; nothing in it leads out of the folder.
            suffix: ending of the map's name, in small letters, which is added unless `name` has it.
        """
        parts = [part for part in PurePosixPath(name.replace("#", "_")).parts if part.strip("/") not in ("", "..")]
        last = parts[-1] if parts[-1].lower().endswith(suffix) else parts[-1] + suffix
        path = self.path.joinpath(*parts[:-1], last)
        while path.exists():  # scan and scan.dcm would both become scan.dcm
            path = path.with_name(path.name + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def resize_map(one: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return a map (s, s) resized to `size` (h, w); values are interpolated, not rescaled."""
    tensor = torch.from_numpy(one)[None, None]
    return torch.nn.functional.interpolate(tensor, size=tuple(size), mode="bilinear")[0, 0].numpy()
