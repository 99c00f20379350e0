"""A structured report of a study (TID 1500, PS3.16), by highdicom: score and p-value of each image, and its regions.

Measurements refer to the images and the regions are rectangles in their pixels. What has no code in the standard is
coded in a scheme of our own, 99ENTROPIX.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from entropix.data.formats._dicom_sources import Source, Stack
from entropix.data.formats._maps import Box, HeatMap, MapFolder

if TYPE_CHECKING:
    from pydicom import Dataset

NATS = ("{nat}", "UCUM", "nat")
PER_PIXEL = ("{nat}/{pixel}", "UCUM", "nat per pixel")
NO_UNIT = ("1", "UCUM", "no units")
SCORE = ("SCORE", "99ENTROPIX", "Anomaly score (surprisal)")
P_VALUE = ("P_VALUE", "99ENTROPIX", "Conformal p-value of the score")
PEAK = ("PEAK", "99ENTROPIX", "Largest surprise in the region")
SUM = ("SUM", "99ENTROPIX", "Surprise summed over the region")
DEVICE = ("121007", "DCM", "Device")
TITLE = ("126000", "DCM", "Imaging Measurement Report")
PROCEDURE = ("363679005", "SCT", "Imaging procedure")


def report(stack: Stack, folder: MapFolder, series: dict[str, Any]) -> Dataset:
    """Return the report of a study's images."""
    from highdicom import sr
    from pydicom.sr.coding import Code

    groups = [group for source in stack.sources for one in source.maps.maps for group in _groups(source, one, series)]
    observer = sr.DeviceObserverIdentifyingAttributes(
        uid=series["series_instance_uid"], manufacturer_name=series["manufacturer"], name="entropix"
    )
    context = sr.ObservationContext(sr.ObserverContext(sr.CodedConcept(*DEVICE), observer))
    content = sr.MeasurementReport(context, Code(*PROCEDURE), groups, Code(*TITLE))
    return sr.Comprehensive3DSR(stack.headers, content, is_complete=True, is_final=False, **series)


def _groups(source: Source, one: HeatMap, series: dict[str, Any]) -> Iterator[Any]:
    """Return the measurements of an image, and of each of its regions."""
    from highdicom import sr
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    algorithm = sr.AlgorithmIdentification("entropix", series["software_versions"])
    frames = None if one.frame is None else [one.frame + 1]
    uid, sop_class = source.header.SOPInstanceUID, source.header.SOPClassUID
    yield sr.MeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(identifier="image"),
        algorithm_id=algorithm,
        measurements=[
            sr.Measurement(Code(*SCORE), rounded(one.score), Code(*NATS)),
            sr.Measurement(Code(*P_VALUE), rounded(one.p_value), Code(*NO_UNIT)),
        ],
        source_images=[sr.SourceImageForMeasurementGroup(sop_class, uid, frames)],
    )
    for number, region in enumerate(one.regions, 1):
        where = sr.SourceImageForRegion(sop_class, uid, frames)
        yield sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            sr.TrackingIdentifier(identifier=f"region {number}"),
            referenced_region=sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, _outline(region), where),
            finding_type=codes.SCT.Lesion,
            algorithm_id=algorithm,
            measurements=[
                sr.Measurement(Code(*PEAK), rounded(region.peak), Code(*PER_PIXEL)),
                sr.Measurement(Code(*SUM), rounded(region.nats), Code(*NATS)),
            ],
        )


def _outline(region: Box) -> np.ndarray:
    """Return the closed outline (5, 2) of a box: columns and rows, from the upper left corner of the first pixel."""
    left, top, right, bottom = region.left, region.top, region.right, region.bottom
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], dtype=float)


def rounded(value: float) -> float:
    """Return a number that a decimal string has room for: 16 characters (PS3.5, 6.2: DS)."""
    return float(f"{value:.9g}")
