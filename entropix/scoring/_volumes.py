"""From scores of slices to scores of volumes.

The score of a volume is the mean over the tenth of its slices that score highest (at least one). Why: a lesion fills
a few neighbouring slices, so the mean over all drowns a small one in a large volume; the largest alone is decided by
one noisy slice, and grows with the number of slices of a normal volume too. A fixed share does neither. It is the
expected shortfall of the slices' scores at 90 % (Rockafellar and Uryasev 2000), for slices counted whole.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

SHARE = 0.1


def aggregate(scores: np.ndarray) -> float:
    """Return the score of a volume whose slices have these scores (n,)."""
    return float(np.sort(scores)[-math.ceil(SHARE * len(scores)) :].mean())


def slices_of(volumes: Sequence[str]) -> dict[str, list[int]]:
    """Return the indices of the slices of each volume of more than one, from the volume of each image ("": of none)."""
    members: dict[str, list[int]] = defaultdict(list)
    for i, volume in enumerate(volumes):
        if volume:
            members[volume].append(i)
    return {volume: indices for volume, indices in members.items() if len(indices) > 1}
