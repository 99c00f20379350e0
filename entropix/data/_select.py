"""The choice of the part of a source to read, where it holds more than one kind of image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from entropix.data._bids import ENTITIES
from entropix.exceptions import DataError

AXES = ("sagittal", "coronal", "axial")  # planes across the x (left to right), y (back to front) and z (up) axis


@dataclass(frozen=True)
class Select:
    """The part of volumes and of DICOM folders that is read.

    Attributes:
        axis: "axial", "coronal" or "sagittal": the slices that NIfTI volumes are cut into.
        slices: (first, last + 1) as in Python's slicing, counted from the feet, the back or the patient's right;
            None leaves an end open, negative numbers count from the other end.
        component: which channel or time point of a 4-D NIfTI volume.
        series: description, number or UID of the series of DICOM files to read, or contrast of NIfTI files, by
            their names; * stands for any text, ? for any character. Case does not matter.
        bids: entities that the names of files have to have, such as {"suffix": "FLAIR", "acq": "hires", "run": "1"};
            * and ? as for `series`, and 01 is 1. The suffix is also the channel of nnU-Net and the contrast at the end
            of other names: x_t1ce.nii.gz.

    Raises:
        DataError: an unknown axis or entity, or slices that are not a pair of whole numbers or None.
    """

    axis: str = "axial"
    slices: tuple[int | None, int | None] = (None, None)
    component: int | None = None
    series: str | None = None
    bids: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.axis not in AXES:
            raise DataError(f"axis={self.axis!r}; expected one of {', '.join(AXES)}")
        if not isinstance(self.slices, tuple | list):
            raise DataError(f"slices={self.slices!r}; expected (first, last + 1), whole numbers or None")
        pair = tuple(self.slices)  # a list, where it comes from a file
        object.__setattr__(self, "slices", pair)
        if len(pair) != 2 or any(not isinstance(end, int | None) for end in pair):
            raise DataError(f"slices={pair!r}; expected (first, last + 1), whole numbers or None")
        if self.component is not None and (isinstance(self.component, bool) or not isinstance(self.component, int)):
            raise DataError(f"component={self.component!r}; expected a whole number, or None")
        if self.series is not None and not isinstance(self.series, str):
            raise DataError(f"series={self.series!r}; expected text: a description, a number such as '3', or a UID")
        if not isinstance(self.bids, Mapping) or not all(isinstance(one, str) for one in self.bids.values()):
            raise DataError(f"bids={self.bids!r}; expected texts by entity, such as {{'suffix': 'T1w', 'run': '1'}}")
        if unknown := [name for name in self.bids if name not in ENTITIES]:
            raise DataError(f"bids has {unknown[0]!r}; expected entities of BIDS: {', '.join(ENTITIES)}")
        object.__setattr__(self, "bids", dict(self.bids))

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Select:
        """Make a choice from texts such as axis=coronal, slices=30:90, component=1, series=T1* and suffix=FLAIR.

        Raises:
            DataError: something else.
        """
        values: dict[str, Any] = {"bids": {}}
        try:
            for text in texts:
                name, _, value = text.partition("=")
                if name == "slices":
                    first, last = value.split(":")
                    values[name] = (int(first) if first else None, int(last) if last else None)
                elif name in ("axis", "series", "component"):
                    values[name] = int(value) if name == "component" else value
                elif name in ENTITIES and value:
                    values["bids"][name] = value
                else:
                    raise ValueError
        except ValueError:
            expected = "axis=coronal, slices=30:90, component=1, series=NAME, or suffix=T1w, acq=, run= ... of BIDS"
            raise DataError(f"--select {text!r}; expected {expected}, one for each --select") from None
        return cls(**values)

    def texts(self) -> list[str]:
        """Return the texts from which `parse` makes this choice, without those that say the default."""
        first, last = ("" if end is None else str(end) for end in self.slices)
        texts = {"axis": self.axis, "slices": f"{first}:{last}", "component": self.component, "series": self.series}
        usual = {"axis": Select.axis, "slices": ":", "component": None, "series": None}
        changed = {name: value for name, value in texts.items() if value != usual[name]}
        return [f"{name}={value}" for name, value in (changed | dict(self.bids)).items()]

    def wants_series(self, *names: str) -> bool:
        """Return whether a series of these names (description, number, UID) is to be read."""
        return self.series is None or any(fnmatchcase(name.lower(), self.series.lower()) for name in names)

    def wants_entities(self, found: Mapping[str, str]) -> bool:
        """Return whether a file whose name has these BIDS entities is to be read."""
        return all(name in found and _same(found[name], value) for name, value in self.bids.items())


def _same(found: str, wanted: str) -> bool:
    """Return whether the value of an entity is the wanted one, which may be a glob; 01 is 1."""
    if found.isdecimal() and wanted.isdecimal():
        return int(found) == int(wanted)
    return fnmatchcase(found.lower(), wanted.lower())
