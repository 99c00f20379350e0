"""Where the frames of DICOM images lie in the patient: read from a file, and written into objects made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

# Of an enhanced file's functional groups: those that say where a frame lies and how large its pixels are.
FRAME_PLACE = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")


@dataclass(frozen=True)
class Place:
    """Where frames in parallel planes lie, mm.

    Attributes:
        positions: the centre of the first pixel (f, 3) of each frame.
        directions: unit vectors (2, 3): along a row, and along a column.
        spacing: between pixels (2,): down a column, and along a row.
        thickness: of a slice; None if unknown.
    """

    positions: np.ndarray
    directions: np.ndarray
    spacing: np.ndarray
    thickness: float | None = None

    def divided(self, times: int) -> Place:
        """Return the place of the same frames with each pixel divided into `times` by `times`."""
        back = (1 / times - 1) / 2 * self.spacing[::-1] @ self.directions
        return Place(self.positions + back, self.directions, self.spacing / times, self.thickness)


def place_of(source: Dataset) -> Place | None:
    """Return where the frames of a file lie in the patient.

    None where that is not said of all of them, as of a radiograph, or two lie at one place, as in a film.
    """
    shared: Any = _first(source, "SharedFunctionalGroupsSequence") or {}
    own = source.get("PerFrameFunctionalGroupsSequence") or [{}] * int(source.get("NumberOfFrames") or 1)
    frames = [[_first(group, name) or _first(shared, name) or source for name in FRAME_PLACE] for group in own]
    try:
        positions = np.array([position.ImagePositionPatient for position, _, _ in frames], dtype=float)
        planes = np.array([plane.ImageOrientationPatient for _, plane, _ in frames], dtype=float)
        sizes = np.array([measures.PixelSpacing for _, _, measures in frames], dtype=float)
        measures = frames[0][2]
        thickness = float(measures.get("SliceThickness") or measures.get("SpacingBetweenSlices") or 0)
    except (AttributeError, TypeError, ValueError):
        return None
    if (positions.shape[1:], planes.shape[1:], sizes.shape[1:]) != ((3,), (6,), (2,)):
        return None
    parallel = np.allclose(planes, planes[0], atol=1e-4) and np.allclose(sizes, sizes[0])
    distinct = len(np.unique(positions, axis=0)) == len(positions)
    usable = (
        np.isfinite(positions).all()
        and sizes.min() > 0
        and np.allclose(np.linalg.norm(planes[0].reshape(2, 3), axis=1), 1, atol=1e-2)
    )
    if not (parallel and distinct and usable):
        return None
    return Place(positions, planes[0].reshape(2, 3), sizes[0], thickness if thickness > 0 else None)


def flat_place(source: Dataset, count: int) -> Place:
    """Return a place for frames that have none in the patient: flat, 1 mm thick, in a frame of reference of their own.

    Parametric Maps have to lie somewhere, as the viewers that show them ask for it. Pixels of unknown size are 1 mm.
    """
    positions = np.zeros((count, 3))
    positions[:, 2] = np.arange(count)
    try:
        spacing = np.array(source.get("PixelSpacing"), dtype=float)
    except (TypeError, ValueError):
        spacing = np.zeros(0)
    known = spacing.shape == (2,) and spacing.min() > 0
    return Place(positions, np.eye(3)[:2], spacing if known else np.ones(2), 1.0)


def height_of(source: Dataset) -> float | None:
    """Return where a slice lies along the normal of its plane in mm; None if nowhere, as a radiograph."""
    try:
        row, column = np.reshape(np.array(source.ImageOrientationPatient, dtype=float), (2, 3))
        return float(np.cross(row, column) @ np.array(source.ImagePositionPatient, dtype=float))
    except (AttributeError, TypeError, ValueError):
        return None


def lie(image: Dataset, place: Place) -> None:
    """Say in an image where its frames lie: in its header, or in functional groups if there are several."""
    from pydicom import Dataset

    plane, measures, positions = Dataset(), Dataset(), [Dataset() for _ in place.positions]
    plane.ImageOrientationPatient, measures.PixelSpacing = _numbers(place.directions), _numbers(place.spacing)
    measures.SliceThickness = None if place.thickness is None else _numbers(np.array(place.thickness))[0]
    for one, position in zip(positions, place.positions, strict=True):
        one.ImagePositionPatient = _numbers(position)
    if len(positions) == 1:
        for part in (plane, measures, positions[0]):
            image.update(part)
        return
    if place.thickness is None:
        del measures.SliceThickness
    image.SharedFunctionalGroupsSequence = [_group(PlaneOrientationSequence=plane, PixelMeasuresSequence=measures)]
    image.PerFrameFunctionalGroupsSequence = [_group(PlanePositionSequence=one) for one in positions]


def _group(**parts: Dataset) -> Dataset:
    from pydicom import Dataset

    group = Dataset()
    for name, part in parts.items():
        setattr(group, name, [part])
    return group


def _numbers(values: np.ndarray) -> list[str]:
    """Return decimal strings of at most 16 characters."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(value) for value in values.ravel().tolist()]


def _first(group: Any, name: str) -> Dataset | None:
    items = group.get(name)
    return items[0] if items else None
