"""DICOM through pydicom: images as a viewer would show them, and what identifies them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from entropix.data._blocks import Decoded
from entropix.data._select import Select
from entropix.data.formats._dicom_identity import patient_of, uid_of
from entropix.data.formats._dicom_kind import drawn, no_image
from entropix.data.formats._dicom_objects import write_objects
from entropix.data.formats._dicom_pixels import frames_of
from entropix.data.formats._dicom_place import height_of
from entropix.data.formats._format import Format, OtherSeries, PassedOver
from entropix.data.formats._maps import FileMaps, MapFolder

if TYPE_CHECKING:
    from pydicom import Dataset

SHORT_VRS = frozenset({b"UL", b"CS", b"UI", b"OB", b"SH", b"LO", b"DA", b"TM", b"DT"})  # of the first elements
LONGEST_UID = 64


class Dicom(Format):
    """DICOM files, which often have no ending; heat maps are objects of their studies that refer to them."""

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
            series["InstanceUID"] = uid_of(dataset, "SeriesInstanceUID", keep_ids)
            raise OtherSeries(f"series {next((name for name in series.values() if name), 'without a name')}")
        if select.series is None and (kind := drawn(dataset)):
            raise PassedOver(f"DICOM {kind}; to read it, choose its series (--select series=...)")
        frames = list(frames_of(dataset))
        position = height_of(dataset)
        one_slice = len(frames) == 1 and position is not None
        return Decoded(
            frames,
            "source",
            list(range(len(frames))) if len(frames) > 1 else None,
            group=patient_of(dataset, keep_ids) or None,
            volume=uid_of(dataset, "SeriesInstanceUID", keep_ids) if one_slice else "",
            position=position or 0.0,
            kind=f"DICOM {dataset.get('Modality') or ''}".strip(),
            series=series["Description"],
            bits=int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0),
            identifiers=_identifiers(dataset, keep_ids),
        )

    def write_maps(self, folder: MapFolder, files: Sequence[FileMaps]) -> None:
        """Write DICOM objects of the files' studies: the kinds that the folder asks for."""
        write_objects(folder, files)


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


def _identifiers(dataset: Dataset, keep_ids: bool) -> dict[str, str]:
    """Return by what an archive finds the image: UIDs, and the accession number where identifiers are kept."""
    kinds = {"study_uid": "Study", "series_uid": "Series", "sop_uid": "SOP"}
    found = {name: uid_of(dataset, f"{kind}InstanceUID", keep_ids) for name, kind in kinds.items()}
    return found | {"accession": str(dataset.get("AccessionNumber") or "").strip() if keep_ids else ""}
