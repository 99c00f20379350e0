"""Regions as a binary Segmentation (PS3.3 A.51), by highdicom: where a heat map lies above alpha's level.

One segment holds all regions of the stack (`EntropixDetector.regions`); frames without a region are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from entropix.data.formats._dicom_sources import Stack
from entropix.data.formats._maps import HeatMap, MapFolder

if TYPE_CHECKING:
    from pydicom import Dataset


def segmentation(stack: Stack, folder: MapFolder, series: dict[str, Any]) -> Dataset:
    """Return the regions of a stack's frames."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.sr.codedict import codes

    made_by = AlgorithmIdentificationSequence(
        "entropix", codes.cid7162.ArtificialIntelligence, series["software_versions"]
    )
    segment = SegmentDescription(
        segment_number=1,
        segment_label="Anomalous region",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type="AUTOMATIC",
        algorithm_identification=made_by,
    )
    sizes = int(stack.headers[0].Rows), int(stack.headers[0].Columns)
    masks = np.stack([_mask(one, sizes, folder.level) for one in stack.maps])
    return Segmentation(
        stack.headers,
        masks,
        "BINARY",
        [segment],
        content_label="ANOMALIES",
        omit_empty_frames=bool(masks.any()),
        **series,
    )


def _mask(one: HeatMap | None, sizes: tuple[int, int], level: float) -> np.ndarray:
    """Return where a map lies above the level (h, w) bool, in the model's pixels, as its regions do."""
    if one is None:
        return np.zeros(sizes, bool)
    rows, columns = (np.arange(n) * s // n for n, s in zip(sizes, one.small.shape, strict=True))
    return one.small[np.ix_(rows, columns)] > level
