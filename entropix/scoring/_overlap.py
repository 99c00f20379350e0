"""How well heat maps fit masks: voxel average precision, best Dice, and the overlap per region (AUPRO).

All three are read from counts of voxels between levels of the map, so that memory does not grow with the number of
voxels; values between two levels count as equal. With as many levels as values they are exact.

- Average precision is the sum over levels of precision times the gain in recall, as scikit-learn has it.
- Best Dice is the largest 2 |A and B| / (|A| + |B|) of mask and thresholded map over all thresholds. It is chosen with
  the mask and so says what the best threshold would give, not what a user gets.
- AUPRO (Bergmann et al. 2021, "The MVTec Anomaly Detection Dataset", IJCV 129, section 5): the mean share of each
  connected region that is found, against the share of normal voxels that are, integrated up to 0.3 of these, over 0.3.
"""

from __future__ import annotations

import numpy as np

MOST_FALSE = 0.3  # of AUPRO
LEVELS = 4096


def levels_of(maps: np.ndarray) -> np.ndarray:
    """Return ascending levels (l,) of heat maps: at even steps of their ranks, and finer ones among the highest."""
    shares = np.concatenate([np.linspace(0, 1, LEVELS // 2), 1 - np.geomspace(1e-7, 1, LEVELS // 2)])
    return np.unique(np.quantile(maps, np.sort(shares)))


class Overlap:
    """Counts of the voxels of heat maps and their masks.

    Args:
        levels: (l,) ascending.
    """

    def __init__(self, levels: np.ndarray) -> None:
        self.levels = levels
        self._normal, self._lesion, self._found = (np.zeros(len(levels) + 1) for _ in range(3))
        self._regions = 0

    def add(self, heat: np.ndarray, mask: np.ndarray) -> None:
        """Count the voxels of an image or volume.

        Args:
            heat: (k, h, w), k neighbouring slices, or 1.
            mask: bool, of the same shape. Voxels that touch at a corner are of one region.
        """
        from scipy.ndimage import label

        bins = np.searchsorted(self.levels, heat, side="right")
        length = len(self._normal)
        self._normal += np.bincount(bins[~mask], minlength=length)
        if not mask.any():
            return
        self._lesion += np.bincount(bins[mask], minlength=length)
        regions, count = label(mask, np.ones((3, 3, 3)))
        place = (regions[mask] - 1) * length + bins[mask]
        shares = np.bincount(place, minlength=count * length).reshape(count, length)
        self._found += (shares / shares.sum(1, keepdims=True)).sum(0)
        self._regions += count

    def merge(self, other: Overlap) -> None:
        """Count what another one with the same levels has counted."""
        for name in ("_normal", "_lesion", "_found", "_regions"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def metrics(self) -> dict[str, float]:
        """Return "ap", "best_dice" and "aupro", or nothing unless there are voxels of both kinds."""
        normal, lesion = self._normal.sum(), self._lesion.sum()
        if not (normal and lesion):
            return {}
        true, false = np.cumsum(self._lesion[::-1]), np.cumsum(self._normal[::-1])
        chosen = true + false > 0
        precision = true[chosen] / (true + false)[chosen]
        recall = true[chosen] / lesion
        rate = np.concatenate([[0], false / normal])
        found = np.concatenate([[0], np.cumsum(self._found[::-1]) / self._regions])
        up_to = np.concatenate([rate[rate < MOST_FALSE], [MOST_FALSE]])
        area = np.trapezoid(np.concatenate([found[rate < MOST_FALSE], [np.interp(MOST_FALSE, rate, found)]]), up_to)
        return {
            "ap": float((np.diff(recall, prepend=0) * precision).sum()),
            "best_dice": float((2 * true / (true + false + lesion)).max()),
            "aupro": float(area / MOST_FALSE),
        }

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of "voxels", "lesion_voxels" and "regions"."""
        voxels, lesion = self._normal.sum() + self._lesion.sum(), self._lesion.sum()
        return {"voxels": int(voxels), "lesion_voxels": int(lesion), "regions": self._regions}
