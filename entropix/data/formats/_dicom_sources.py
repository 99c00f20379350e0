"""What DICOM objects are made from: headers of the scored files, and which of them one object may hold.

A header here holds geometry and the UIDs to refer to, and nothing of the patient; `Source.identity` is set last, in
finished objects, as it stands in the file: libraries that build objects refuse what is not valid there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from entropix.data.formats._dicom_identity import EXPECTED, identity_of, uids_of
from entropix.data.formats._dicom_place import Place, flat_place, height_of, lie, place_of
from entropix.data.formats._maps import FileMaps, HeatMap

if TYPE_CHECKING:
    from pydicom import Dataset

LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
TAKEN = ("Rows", "Columns", "BurnedInAnnotation", "PatientOrientation", "Laterality", *LOSSY)


@dataclass(frozen=True)
class Source:
    """A scored file.

    Attributes:
        header: geometry and UIDs, as of a Secondary Capture, for which least is demanded.
        place: of its frames in the patient; None where they have none, and the header's is one of its own.
        sop_class: the UID of what it is.
        identity: patient and study, for finished objects.
        series_number: for objects made from it.
        maps: of its frames.
    """

    header: Dataset
    place: Place | None
    sop_class: str
    identity: Dataset
    series_number: int
    maps: FileMaps

    @property
    def count(self) -> int:
        """The number of frames."""
        return int(self.header.get("NumberOfFrames") or 1)

    @property
    def by_frame(self) -> dict[int, HeatMap]:
        """The maps by the number of their frame, which is 0 in a file that is one image."""
        return {one.frame or 0: one for one in self.maps.maps}


@dataclass(frozen=True)
class Stack:
    """The files that one object is made of: of single frames in the order of their place, or one of several frames."""

    sources: Sequence[Source]

    @property
    def headers(self) -> list[Dataset]:
        """The headers of the files."""
        return [source.header for source in self.sources]

    @property
    def maps(self) -> list[HeatMap | None]:
        """The maps of the frames, None where a frame was not scored."""
        return [source.by_frame.get(number) for source in self.sources for number in range(source.count)]

    @property
    def name(self) -> str:
        """The name of the first file."""
        return self.sources[0].maps.name


def read_source(maps: FileMaps, keep_ids: bool) -> Source:
    """Return what objects take over from a file."""
    import pydicom
    from pydicom import Dataset, uid

    dataset = pydicom.dcmread(maps.path, force=True, stop_before_pixels=True)
    header, count = Dataset(), int(dataset.get("NumberOfFrames") or 1)
    for keyword in TAKEN:
        if keyword in dataset and not dataset[keyword].is_empty:
            header[keyword] = dataset[keyword]
    for keyword in EXPECTED:
        setattr(header, keyword, "")
    several, single = uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage, uid.SecondaryCaptureImageStorage
    header.SOPClassUID = several if count > 1 else single
    if count > 1:
        header.NumberOfFrames = count
    place = place_of(dataset)
    for keyword, one in uids_of(dataset, place is not None, keep_ids).items():
        setattr(header, keyword, one)
    lie(header, place or flat_place(dataset, count))
    sop_class = str(dataset.get("SOPClassUID") or single)
    return Source(header, place, sop_class, identity_of(dataset, keep_ids), _series_number(dataset), maps)


def stacks(sources: Sequence[Source]) -> list[Stack]:
    """Return which files go into one object: those of a series that lie in parallel planes at different places."""
    found, series = [], defaultdict(list)
    for source in sources:
        if source.count > 1:
            found.append(Stack([source]))
        else:
            series[_plane(source.header)].append(source)
    for members in series.values():
        heights = [round(height_of(source.header) or 0.0, 3) for source in members]
        order = [members[i] for i in np.argsort(heights)]
        found += [Stack([one]) for one in order] if len(set(heights)) < len(heights) else [Stack(order)]
    return found


def _series_number(source: Dataset) -> int:
    """Return a number 9000 above that of the source, where it has one and the sum is possible (PS3.5, 6.2: IS)."""
    try:
        number = int(source.get("SeriesNumber") or 0) + 9000
    except (TypeError, ValueError):
        return 9000
    return number if 0 < number < 2**31 - 10_000 else 9000


def _plane(header: Dataset) -> tuple[object, ...]:
    """Return what files share that lie in parallel planes of one series, with pixels of one size."""
    uids = (header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID)
    turn = np.round(np.array(header.ImageOrientationPatient, dtype=float), 4).tolist()
    return (*uids, int(header.Rows), int(header.Columns), *map(float, header.PixelSpacing), *turn)
