"""From scores of slices to scores of volumes.

The score of a volume is the mean over the tenth of its slices that score highest (at least one). Why: a lesion fills
a few neighbouring slices, so the mean over all drowns a small one in a large volume; the largest alone is decided by
one noisy slice, and grows with the number of slices of a normal volume too. A fixed share does neither. It is the
expected shortfall of the slices' scores at 90 % (Rockafellar and Uryasev 2000), for slices counted whole.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from entropix._utils import new_file, open_table
from entropix.data import ImageSet
from entropix.scoring import DEFAULT_SCORE, SCORES

SHARE = 0.1


@dataclass(frozen=True)
class Volume:
    """A volume of an image set.

    Attributes:
        name: name of the volume.
        slices: indices of its slices in the set, in the order of their place.
    """

    name: str
    slices: list[int]


def volumes(images: ImageSet) -> list[Volume]:
    """Return the volumes of which the set holds more than one slice."""
    members: dict[str, list[int]] = defaultdict(list)
    for i, origin in enumerate(images.origins):
        if origin.volume:
            members[origin.volume].append(i)
    return [
        Volume(name, sorted(indices, key=lambda i: images.origins[i].position))
        for name, indices in members.items()
        if len(indices) > 1
    ]


def aggregate(scores: np.ndarray) -> float:
    """Return the score of a volume whose slices have these scores (n,)."""
    return float(np.sort(scores)[-math.ceil(SHARE * len(scores)) :].mean())


def write_volume_scores(path: Path, images: ImageSet, terms: dict[str, np.ndarray]) -> int:
    """Write a CSV file with one row per volume, where there are any; return their number.

    Columns: volume, label (1 if any slice is abnormal, empty where unknown), slices, every score, and the slice whose
    default score is the highest.

    Args:
        path: the file.
        images: the slices.
        terms: scores (n,) of the slices by name.
    """
    found = volumes(images)
    if not found:
        return 0
    with new_file(path) as partial, open_table(partial) as file:
        writer = csv.writer(file)
        writer.writerow(("volume", "label", "slices", *SCORES, "highest_slice"))
        for volume in found:
            label = int(images.labels[volume.slices].max())
            values = [repr(aggregate(terms[name][volume.slices])) for name in SCORES]
            highest = max(volume.slices, key=lambda i: terms[DEFAULT_SCORE][i])
            shown = "" if label < 0 else label
            writer.writerow([volume.name, shown, len(volume.slices), *values, images.names[highest]])
    return len(found)
