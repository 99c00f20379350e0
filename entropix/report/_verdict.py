"""What the page says first: how many images stand out, at which rate of false alarms, and how good that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entropix.data import ImageSet
from entropix.detector import EntropixDetector, Separation, separation
from entropix.report._scores import Scores
from entropix.scoring import DEFAULT_SCORE


@dataclass(frozen=True)
class Group:
    """Images of one label.

    Attributes:
        name: "normal" or "abnormal".
        n: how many there are.
        n_flagged: how many of them stand out.
    """

    name: str
    n: int
    n_flagged: int


@dataclass(frozen=True)
class Verdict:
    """The verdict on n images.

    Attributes:
        n: how many were looked at.
        alpha: share of normal images that stand out too.
        level: score above which an image stands out.
        flagged: indices (m,) of the images that do, the highest score first.
        groups: the images of each label that occurs.
        separation: "auc" and "ap" by name of the score, where images of both labels are there.
    """

    n: int
    alpha: float
    level: float
    flagged: np.ndarray
    groups: list[Group]
    separation: Separation

    @property
    def by_chance(self) -> float:
        """How many of n normal images stand out on average."""
        return self.alpha * self.n

    @property
    def auc(self) -> float | None:
        """Share of pairs in which the abnormal image has the higher default score; None without labels."""
        return self.separation.metrics[DEFAULT_SCORE]["auc"] if self.separation.metrics else None

    @property
    def more_than_promised(self) -> bool:
        """Whether clearly more of the images labelled normal stand out than alpha: three standard deviations."""
        of_normal = [group for group in self.groups if group.name == "normal"]
        return any(g.n_flagged > g.n * self.alpha + 3 * (g.n * self.alpha * (1 - self.alpha)) ** 0.5 for g in of_normal)


def judge(detector: EntropixDetector, found: Scores, images: ImageSet | None) -> Verdict:
    """Return the verdict of a detector on scored images, among which copies are looked for if they are at hand."""
    level = -detector.offset_
    above = found.default > level
    groups = [
        Group(name, int(mask.sum()), int(above[mask].sum()))
        for value, name in ((0, "normal"), (1, "abnormal"))
        if (mask := found.labels == value).any()
    ]
    return Verdict(
        n=len(found),
        alpha=detector.calibration_.reachable(detector.alpha),
        level=level,
        flagged=found.order[above[found.order]],
        groups=groups,
        separation=separation(detector, images, found.labels, found.by_name),
    )
