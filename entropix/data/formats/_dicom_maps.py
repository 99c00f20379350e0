"""Heat maps as Parametric Maps (PS3.3 A.75), by highdicom: values that viewers lay over the images they belong to.

Stored values are whole numbers of a decimal part of a milli-nat per pixel, because a window is at least 1 wide and nats
per pixel are fractions; a Real World Value Map gives milli-nats. One unit and one window for all maps of a run: the
level that a normal image exceeds with probability alpha is mid-grey, so that normal images stay dark and maps compare.
The window stands at the root too, for viewers that know no functional groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from entropix.data.formats._dicom_sources import Stack
from entropix.data.formats._maps import MapFolder

if TYPE_CHECKING:
    from pydicom import Dataset

LARGEST = 65_535


def parametric_map(stack: Stack, folder: MapFolder, series: dict[str, Any]) -> Dataset:
    """Return the maps of a stack's frames; those of frames that were not scored are 0."""
    import highdicom
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from pydicom.sr.coding import Code

    unit = unit_of(max(folder.largest, folder.top))
    sizes = stack.headers[0].Rows, stack.headers[0].Columns
    values = [np.zeros(sizes) if one is None else one.values for one in stack.maps]
    stored = np.clip(np.round(np.stack(values) * (1000 / unit)), 0, LARGEST).astype(np.uint16)
    meaning = RealWorldValueMapping(
        lut_label="mnat/px",
        lut_explanation="Surprise under the normal model, milli-nats per pixel",
        unit=Code("{mnat}/{pixel}", "UCUM", "milli-nat per pixel"),
        value_range=(0, LARGEST),
        slope=unit,
        intercept=0,
    )
    centre = max(round(1000 * folder.level / unit), 1)
    dataset = ParametricMap(
        stack.headers,
        stored,
        real_world_value_mappings=[meaning],
        voi_lut_transformations=[highdicom.VOILUTTransformation(centre, 2 * centre)],
        contains_recognizable_visual_features=False,
        content_label="ANOMALY_MAP",
        **series,
    )
    dataset.WindowCenter, dataset.WindowWidth = centre, 2 * centre
    dataset.Laterality = stack.headers[0].get("Laterality", "")  # must be there, if only to say that nobody knows
    return dataset


def unit_of(largest: float) -> float:
    """Return the milli-nats of one stored value: a power of ten by which values up to `largest` nats fit."""
    return float(10.0 ** np.ceil(np.log10(1000 * largest / LARGEST)))
