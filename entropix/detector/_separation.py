"""How well scores separate labelled images, of which some may be copies of the fit's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from entropix.data import ImageSet
from entropix.detector._scorer import Scorer
from entropix.scoring import detection_metrics


@dataclass(frozen=True)
class Separation:
    """How well scores separate labelled images.

    Attributes:
        metrics: "auc" and "ap" by name of the score; none unless there are images of both labels.
        copies: number of labelled images that are near copies of images of the fit (`EntropixDetector.copies`).
        without_copies: `metrics` without these; none where there are no copies, or one label is left.
    """

    metrics: dict[str, dict[str, float]]
    copies: int
    without_copies: dict[str, dict[str, float]]


def separation(
    detector: Scorer, images: ImageSet | None, labels: np.ndarray, scores: Mapping[str, np.ndarray]
) -> Separation:
    """Measure how well scores separate images, with and without copies of images of the fit.

    Args:
        detector: fitted to images.
        images: the images (n); None: they are not at hand, and no copies are looked for.
        labels: (n,), 0 normal, 1 abnormal, -1 unknown.
        scores: (n,) by name, higher is more anomalous.
    """

    def metrics(labels: np.ndarray) -> dict[str, dict[str, float]]:
        return {name: found for name, values in scores.items() if (found := detection_metrics(labels, values))}

    of_all = metrics(labels)
    if images is None or not of_all:
        return Separation(of_all, 0, {})
    copies = detector.copies(images) & (labels >= 0)
    return Separation(of_all, int(copies.sum()), metrics(np.where(copies, -1, labels)) if copies.any() else {})
