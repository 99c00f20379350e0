"""`ImageSet`: images of one size with what is known about each of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from entropix.data._passed_over import MASK_OF_NONE
from entropix.data._select import Select
from entropix.data._spool import allocate
from entropix.exceptions import DataError, ScaleWarning

# Floats on [0, 1] may leave it by as much, which is cut off: what half precision rounds 1 to is 5e-4 away.
ROUNDING = 1e-3
DARK = 1 / 64  # of the training images' range: images that lie below are of another unit, or empty


@dataclass(frozen=True)
class Origin:
    """The source of an image, as far as it is known.

    Attributes:
        path: file that it was read from, None for an array.
        frame: frame or slice within the file (a slice counts along the patient's axis, from right, back or feet),
            None if the file is one image.
        volume: the volume it is a slice of: the file's name, or the series_uid; "" for an image on its own.
        position: place within the volume, ascending.
        kind: "png", "DICOM CT", "NIfTI", ...
        series: what a DICOM file calls its series.
        bits: bits of a stored value.
        study_uid: Study Instance UID of a DICOM file, or the one that replaces it, also in DICOM objects.
        series_uid: Series Instance UID, in the same way.
        sop_uid: SOP Instance UID, in the same way.
        accession: accession number, where identifiers are kept.
    """

    path: Path | None = None
    frame: int | None = None
    volume: str = ""
    position: float = 0.0
    kind: str = "array"
    series: str = ""
    bits: int = 0
    study_uid: str = ""
    series_uid: str = ""
    sop_uid: str = ""
    accession: str = ""


@dataclass(frozen=True)
class Scaling:
    """A linear map of raw values to [0, 1], lowest to 0 and highest to 1, clipped.

    Attributes:
        value_range: lowest and highest raw value; None: values stay as they are.
    """

    value_range: tuple[float, float] | None

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        if self.value_range is None:
            return images
        low, high = self.value_range
        if not high > low:
            return torch.zeros_like(images)
        # float64: the difference of two float32 numbers may overflow
        return ((images.double() - low) / (high - low)).clamp_(0, 1).float()

    def refuses(self, images: torch.Tensor) -> torch.Tensor:
        """Return whether float images (n, c, s, s) are on another scale, a bool without dimensions, as a graph can.

        They are those that `ImageSet.scaling` refuses by their values.
        """
        low, high = images.amin((0, 1, 2, 3)), images.amax((0, 1, 2, 3))
        on_unit = (low >= -ROUNDING) & (high <= 1 + ROUNDING)
        if self.value_range is None:
            return ~on_unit
        return self.blank(low, high) | (on_unit & self.nearly_black(high))

    def blank(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """Return whether raw values from `low` to `high` all become black or white."""
        assert self.value_range is not None
        darkest, brightest = self.value_range
        if not darkest < brightest:
            return torch.zeros_like(high, dtype=torch.bool)
        return (high <= darkest) | (low >= brightest)

    def nearly_black(self, high: torch.Tensor) -> torch.Tensor:
        """Return whether raw values up to `high` are a small part of the range from its dark end on."""
        assert self.value_range is not None
        darkest, brightest = self.value_range
        return high - darkest < DARK * (brightest - darkest)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """n images of c channels, resized to s x s pixels.

    Attributes:
        pixels: float32 (n, c, s, s).
        names: where each image came from: relative path, `scan.nii.gz#12` for a slice, index in an array.
        labels: int (n,): 0 normal, 1 abnormal, -1 unknown.
        groups: patient (a pseudonym) or volume of each image where known, else its own name; images of one group
            must not straddle a train/validation split.
        sizes: int (n, 2): height and width before resizing.
        natural_scale: True if values are on [0, 1] by the source's own meaning (8-bit, DICOM window, ...);
            False if they are raw values, to be scaled by the training set's `value_range()`.
        inferred_scale: True if `natural_scale` rests only on float values that happen to lie on [0, 1].
        unreadable: (name, reason) of each item that was left out.
        passed_over: (name, reason) of what else lies in the folder and is no image: masks, hidden files, tables, ...
        source: description for people.
        origins: file, volume and kind of each image.
        select: the part of the source that was read.
        include: globs by which files were chosen.
        exclude: globs by which files were left out.
        masks: files that say where something is in the images of a file, by its path; for judging heat maps.
        problem: why no one model can take all these images; `read` refuses a set with one.
    """

    pixels: torch.Tensor
    names: list[str]
    labels: np.ndarray
    groups: list[str]
    sizes: np.ndarray
    natural_scale: bool
    inferred_scale: bool = False
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    source: str = ""
    origins: list[Origin] = field(default_factory=list)
    select: Select = field(default_factory=Select)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    masks: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    problem: str = ""

    def __post_init__(self) -> None:
        n = len(self.pixels)
        if not self.origins:
            object.__setattr__(self, "origins", [Origin()] * n)
        lengths = {name: len(getattr(self, name)) for name in ("names", "labels", "groups", "sizes", "origins")}
        if self.pixels.ndim != 4 or any(length != n for length in lengths.values()):
            raise DataError(
                f"pixels must be (n, c, s, s) with n names, labels, groups, sizes and origins; "
                f"got {tuple(self.pixels.shape)} and {lengths}"
            )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def images(self) -> torch.Tensor:
        """The old name of `pixels`."""
        warnings.warn("ImageSet.images is now ImageSet.pixels", DeprecationWarning, stacklevel=2)
        return self.pixels

    def __repr__(self) -> str:
        n, c, h, w = self.pixels.shape
        known = [f"{int((self.labels == value).sum())} {word}" for value, word in ((0, "normal"), (1, "abnormal"))]
        labels = ", ".join(known) if (self.labels >= 0).any() else "labels unknown"
        return f"ImageSet({self.source}: {n} images, {c} x {h} x {w}, {labels}, {len(set(self.groups))} groups)"

    def subset(self, indices: Sequence[int] | np.ndarray) -> ImageSet:
        """Return the images at `indices`, in that order: integers (m,), or a boolean mask (n,).

        Raises:
            DataError: other indices.
        """
        chosen = self._rows(indices)
        pixels = allocate((len(chosen), *self.pixels.shape[1:]))  # mapped, if too many for the memory
        torch.index_select(self.pixels, 0, torch.from_numpy(chosen), out=pixels)
        return replace(
            self,
            pixels=pixels,
            names=[self.names[i] for i in chosen],
            labels=self.labels[chosen],
            groups=[self.groups[i] for i in chosen],
            sizes=self.sizes[chosen],
            origins=[self.origins[i] for i in chosen],
        )

    def masks_of_none(self) -> list[tuple[str, str]]:
        """Return (name, reason) of masks of which it is not known whose they are."""
        found = [entry for entry in self.passed_over if entry[1].startswith(MASK_OF_NONE)]
        return [(name, reason.removeprefix(MASK_OF_NONE)) for name, reason in found]

    def _rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return indices (m,) of images from whole numbers or a mask.

        Raises:
            DataError: neither, or an index that no image has.
        """
        chosen = np.asarray(indices)
        if chosen.dtype == bool and chosen.shape == (len(self),):
            return np.flatnonzero(chosen)
        whole = chosen.ndim == 1 and (chosen.dtype.kind in "iu" or not len(chosen))
        if not whole or (len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(self)):
            raise DataError(
                f"indices of shape {chosen.shape} and {chosen.dtype}; expected whole numbers from 0 to "
                f"{len(self) - 1}, or a mask ({len(self)},)"
            )
        return chosen.astype(np.int64)

    def value_range(self) -> tuple[float, float] | None:
        """Return the (lowest, highest) raw value, or None on the natural scale; `scaled` of other images needs it."""
        if self.natural_scale or not len(self):
            return None
        return float(self.pixels.min()), float(self.pixels.max())

    def scaling(self, value_range: tuple[float, float] | None = None) -> Scaling:
        """Return the map of these images to [0, 1]; arguments and errors as for `scaled`."""
        if value_range is None and self.natural_scale:
            return Scaling(None)
        if value_range is not None and self.natural_scale and not self.inferred_scale:
            raise DataError(
                f"{self.source}: 8-bit, binary or windowed images, which are on [0, 1], but training images of raw "
                f"values from {value_range[0]:g} to {value_range[1]:g}; give both in the same dtype and unit"
            )
        low, high = self.pixels.min().double(), self.pixels.max().double()
        if value_range is None:
            raise DataError(
                f"{self.source}: raw values from {low:.9g} to {high:.9g}, but training images on [0, 1]; "
                "give both in the same unit, for example divided by their largest possible value"
            )
        self._check_unit(low, high, value_range)
        return Scaling(value_range)

    def _check_unit(self, low: torch.Tensor, high: torch.Tensor, value_range: tuple[float, float]) -> None:
        """Refuse values from `low` to `high` all black or white, or dark and on [0, 1]; warn of other dark ones."""
        darkest, brightest = value_range
        told = f"{self.source}: values from {low:.9g} to {high:.9g}, training images from {darkest:g} to {brightest:g}"
        scaling = Scaling(value_range)
        if scaling.blank(low, high):
            raise DataError(f"{told}: every pixel would be black or white; give both in the same unit")
        if scaling.nearly_black(high):
            if self.inferred_scale:  # on [0, 1], as no part of 0 to 255 is by chance
                raise DataError(f"{told}: nearly black; give both in the same unit")
            warnings.warn(f"{told}: nearly black; are both in the same unit?", ScaleWarning, stacklevel=5)

    def scaled(self, value_range: tuple[float, float] | None = None) -> torch.Tensor:
        """Return the images on [0, 1], float32 (n, c, s, s).

        Raw values are mapped linearly, lowest to 0 and highest to 1, and clipped. So are floats that only
        happen to lie on [0, 1], because the training images show that their unit is another.

        Args:
            value_range: `value_range()` of the training images. None: they were on the natural scale.

        Raises:
            DataError: raw values, but the training images were on the natural scale, or the reverse; raw values that
                all lie below or above those of the training images.
        """
        return self.scaling(value_range)(self.pixels)

    def constant(self) -> np.ndarray:
        """Return the indices (m,) of images whose pixels all have one value, up to rounding by resizing."""
        flat = self.pixels.flatten(1)
        low, high = flat.amin(1), flat.amax(1)
        return np.flatnonzero((high - low <= 1e-5 * torch.maximum(low.abs(), high.abs())).numpy())
