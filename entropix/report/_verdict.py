"""What the page says first: how many images stand out, at which rate of false alarms, and how good that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entropix.data import ImageSet
from entropix.detector import EntropixDetector
from entropix.report._scores import Scores
from entropix.scoring import DEFAULT_SCORE, detection_metrics


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
        metrics: "auc" and "ap" by name of the score, where images of both labels are there.
        copies: number of labelled images that are near copies of the fit's, as far as that was looked for.
        without_copies: `metrics` without these, where there are any.
    """

    n: int
    alpha: float
    level: float
    flagged: np.ndarray
    groups: list[Group]
    metrics: dict[str, dict[str, float]]
    copies: int
    without_copies: dict[str, dict[str, float]]

    @property
    def by_chance(self) -> float:
        """How many of n normal images stand out on average."""
        return self.alpha * self.n

    @property
    def auc(self) -> float | None:
        """Share of pairs in which the abnormal image has the higher default score; None without labels."""
        return self.metrics[DEFAULT_SCORE]["auc"] if self.metrics else None

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
    metrics = _metrics(found, found.labels)
    copies = np.zeros(len(found), bool)
    if metrics and images is not None:
        copies = detector.copies(images) & (found.labels >= 0)
    return Verdict(
        n=len(found),
        alpha=detector.calibration_.reachable(detector.alpha),
        level=level,
        flagged=found.order[above[found.order]],
        groups=groups,
        metrics=metrics,
        copies=int(copies.sum()),
        without_copies=_metrics(found, np.where(copies, -1, found.labels)) if copies.any() else {},
    )


def _metrics(found: Scores, labels: np.ndarray) -> dict[str, dict[str, float]]:
    return {name: known for name, values in found.by_name.items() if (known := detection_metrics(labels, values))}
