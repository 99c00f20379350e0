"""Heat maps on their way to files: what is known of them, and the folder that they go to."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from entropix.data._select import Select


@dataclass(frozen=True)
class HeatMap:
    """The heat map of one image.

    Attributes:
        name: of the image in its set.
        frame: its number in its file, None for a file that is one image.
        values: nats per pixel (h, w), in the size of the image.
    """

    name: str
    frame: int | None
    values: np.ndarray


@dataclass(frozen=True)
class FileMaps:
    """The heat maps of the images of one file, of which some may have none.

    Attributes:
        path: the file.
        maps: one or more.
        patient: what stands for the patient's number unless identifiers are kept.
    """

    path: Path
    maps: Sequence[HeatMap]
    patient: str

    @property
    def name(self) -> str:
        """The file's name in the set: that of its images without their number."""
        first = self.maps[0]
        return first.name if first.frame is None else first.name.removesuffix(f"#{first.frame}")

    def by_frame(self) -> dict[int, np.ndarray]:
        """Return the maps by the number of their frame, which is 0 in a file that is one image."""
        return {one.frame or 0: one.values for one in self.maps}


@dataclass(frozen=True)
class MapFolder:
    """A folder of heat maps, and what all of them share.

    Attributes:
        path: the folder.
        top: nats per pixel at the upper end of the colours.
        natural_scale: whether images are on [0, 1]; others are drawn from their lowest to their highest value.
        select: which part of the files was read.
        keep_ids: whether maps say who the patient is.
        token: text that no other folder has.
    """

    path: Path
    top: float
    natural_scale: bool
    select: Select
    keep_ids: bool
    token: str = field(default_factory=secrets.token_hex)

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
