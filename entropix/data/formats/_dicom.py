"""DICOM through pydicom: images as a viewer would show them, and what identifies them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from entropix.data._blocks import Decoded
from entropix.data._privacy import pseudonym
from entropix.data._select import Select
from entropix.data.formats._dicom_maps import write_map
from entropix.data.formats._dicom_objects import drawn, no_image
from entropix.data.formats._dicom_pixels import frames_of
from entropix.data.formats._format import Format, OtherSeries, PassedOver
from entropix.data.formats._maps import FileMaps, MapFolder

if TYPE_CHECKING:
    from pydicom import Dataset

SHORT_VRS = frozenset({b"UL", b"CS", b"UI", b"OB", b"SH", b"LO", b"DA", b"TM", b"DT"})  # of the first elements
LONGEST_UID = 64


class Dicom(Format):
    """DICOM files, which often have no ending; heat maps are Secondary Captures that refer to them."""

    names = ("DICOM",)
    suffixes = (".dcm", ".dicom", ".ima")
    never_images = frozenset({"dicomdir"})  # the index that DICOM media carry

    def sniff(self, path: Path) -> bool:
        """Return whether the file has DICOM's preamble, "DICM" after 128 bytes (PS3.10, 7.1), or starts without it."""
        with path.open("rb") as file:
            start = file.read(132)
        return start[128:] == b"DICM" or _is_bare(start)

    def decode(self, path: Path, select: Select, keep_ids: bool) -> Decoded:
        """Return frames (c, h, w) on [0, 1], with patient, series and place in the series.

        Raises:
            DataError: no pixel data, a header that cannot be true, or a compression without decoder.
            PassedOver: no image; or what was drawn or computed, unless `select` names its series.
            OtherSeries: not the series that `select` names.
            Exception: others as pydicom and its plug-ins raise them.
        """
        dataset = _read(path)
        series = {k: str(dataset.get(f"Series{k}") or "") for k in ("Description", "Number", "InstanceUID")}
        if not select.wants_series(*series.values()):
            raise OtherSeries(f"series {next((name for name in series.values() if name), 'without a name')}")
        if select.series is None and (kind := drawn(dataset)):
            raise PassedOver(f"DICOM {kind}; to read it, choose its series (--select series=...)")
        frames = list(frames_of(dataset))
        patient = str(dataset.get("PatientID") or dataset.get("StudyInstanceUID") or "").strip()
        position = _position(dataset)
        slice_of = series["InstanceUID"] if len(frames) == 1 and position is not None else ""
        return Decoded(
            frames,
            "source",
            list(range(len(frames))) if len(frames) > 1 else None,
            group=_identifier("patient", patient, keep_ids) or None,
            volume=_identifier("series", slice_of, keep_ids),
            position=position or 0.0,
            kind=f"DICOM {dataset.get('Modality') or ''}".strip(),
            series=series["Description"],
            bits=int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0),
        )

    def write_maps(self, folder: MapFolder, maps: FileMaps) -> None:
        """Write a Secondary Capture of the file's study, one frame for each of its frames."""
        write_map(folder.place(maps.name, ".dcm"), maps, folder)


def _read(path: Path) -> Dataset:
    """Return what the file holds, if that is an image."""
    import pydicom

    # from memory: a file would be asked for as many bytes as an element claims to have, and make room for them
    dataset = pydicom.dcmread(BytesIO(path.read_bytes()), force=True)
    if kind := no_image(dataset):
        raise PassedOver(kind)
    return dataset


def _is_bare(start: bytes) -> bool:
    """Return whether this is the start of a data set without preamble: a short element of the first groups."""
    group, element = (int.from_bytes(start[at : at + 2], "little") for at in (0, 2))
    if group not in (2, 8) or element > 0x18 or len(start) < 132:
        return False
    return start[4:6] in SHORT_VRS or int.from_bytes(start[4:8], "little") <= LONGEST_UID


def _identifier(kind: str, value: str, keep_ids: bool) -> str:
    return value if keep_ids or not value else pseudonym(kind, value)


def _position(dataset: Dataset) -> float | None:
    """Return where the slice lies along the normal of its plane in mm; None if nowhere, as a radiograph."""
    try:
        row, column = np.reshape(np.array(dataset.ImageOrientationPatient, dtype=float), (2, 3))
        return float(np.cross(row, column) @ np.array(dataset.ImagePositionPatient, dtype=float))
    except (AttributeError, TypeError, ValueError):
        return None
