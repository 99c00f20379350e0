"""DICOM objects of what was found in DICOM images, for archives and viewers.

overlay  the image in colour with the map over it, as any viewer shows it (`_dicom_overlay`).
map      a Parametric Map of the values, for viewers that lay it over the image (`_dicom_maps`).
seg      a Segmentation of the regions (`_dicom_seg`).
report   a structured report: scores, p-values, regions (`_dicom_report`).

A file is read once (`_dicom_sources`), and whose it is, is decided in one place (`_dicom_identity`). The objects of
one kind that belong to one series of the source form one new series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from entropix._utils import install_hint
from entropix._version import __version__
from entropix.data.formats._dicom_identity import without_times
from entropix.data.formats._dicom_maps import parametric_map
from entropix.data.formats._dicom_overlay import overlay
from entropix.data.formats._dicom_report import report
from entropix.data.formats._dicom_seg import segmentation
from entropix.data.formats._dicom_sources import Source, Stack, read_source, stacks
from entropix.data.formats._maps import FileMaps, MapFolder

if TYPE_CHECKING:
    from pydicom import Dataset

Build = Callable[[Stack, MapFolder, dict[str, Any]], "Dataset"]
Divide = Callable[[Sequence[Source]], list[Stack]]


def _files(sources: Sequence[Source]) -> list[Stack]:
    return [Stack([source]) for source in sources]


def _studies(sources: Sequence[Source]) -> list[Stack]:
    studies = defaultdict(list)
    for source in sources:
        studies[source.header.StudyInstanceUID].append(source)
    return [Stack(members) for members in studies.values()]


# By kind: what one object is made of, and how.
OBJECTS: dict[str, tuple[Divide, Build]] = {
    "overlay": (_files, overlay),
    "map": (stacks, parametric_map),
    "seg": (stacks, segmentation),
    "report": (_studies, report),
}
DEFAULT_OBJECTS = ("overlay", "map")


def check_objects(kinds: Sequence[str]) -> None:
    """Raise an error unless these are kinds of DICOM objects that can be written here.

    Raises:
        ValueError: an unknown kind, or none.
        ModuleNotFoundError: highdicom is missing, which builds all but overlays.
    """
    if not kinds or not set(kinds) <= set(OBJECTS):
        raise ValueError(f"dicom={list(kinds)!r}; expected one or more of {', '.join(OBJECTS)}")
    if set(kinds) != {"overlay"} and find_spec("highdicom") is None:
        raise ModuleNotFoundError(
            f"DICOM {', '.join(kind for kind in kinds if kind != 'overlay')} needs highdicom: {install_hint('dicom')}; "
            "or ask for overlays only (--dicom overlay)"
        )


def write_objects(folder: MapFolder, files: Sequence[FileMaps]) -> None:
    """Write the kinds of objects that the folder asks for, each into a folder of its kind.

    Raises:
        ValueError, ModuleNotFoundError: as for `check_objects`.
    """
    check_objects(folder.dicom)
    sources = [read_source(file, folder.keep_ids) for file in files]
    for kind in dict.fromkeys(folder.dicom):
        divide, build = OBJECTS[kind]
        for number, stack in enumerate(divide(sources), 1):
            dataset = build(stack, folder, _series(kind, stack, number, folder.token))
            _finish(dataset, stack, folder.keep_ids)
            dataset.save_as(folder.place(f"{kind}/{stack.name}", ".dcm"), enforce_file_format=True)


def _series(kind: str, stack: Stack, number: int, token: str) -> dict[str, Any]:
    """Return what says of an object which series and machine it is of, as highdicom's classes take it.

    token: objects of one kind with the same token, of one series of the source, are one series.
    """
    from pydicom.uid import generate_uid

    first = stack.sources[0]
    return {
        "series_instance_uid": generate_uid(entropy_srcs=[first.header.SeriesInstanceUID, kind, token]),
        "series_number": first.series_number + 1000 * list(OBJECTS).index(kind),
        "series_description": f"Anomaly {kind} (research only)",
        "sop_instance_uid": generate_uid(),
        "instance_number": number,
        "manufacturer": "entropix",
        "manufacturer_model_name": "entropix",
        "software_versions": __version__,
        "device_serial_number": "none",
    }


def _finish(dataset: Dataset, stack: Stack, keep_ids: bool) -> None:
    """Say whose the object is and what it refers to, and take the dates out where identifiers are replaced."""
    dataset.update(stack.sources[0].identity)
    classes = {source.header.SOPInstanceUID: source.sop_class for source in stack.sources}
    for item in _items(dataset):
        sop_class = classes.get(item.get("ReferencedSOPInstanceUID"))
        if sop_class is not None:
            item.ReferencedSOPClassUID = sop_class
    if not keep_ids:
        without_times(dataset)


def _items(dataset: Dataset) -> Iterator[Dataset]:
    """Return a data set and the items of its sequences, at any depth."""
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _items(item)
