"""Volumes of an image set, their scores and what is decided of them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from entropix._utils import new_file, open_table
from entropix.data import ImageSet
from entropix.scoring import DEFAULT_SCORE, SCORES, Calibration, aggregate, false_discovery_adjusted, slices_of
from entropix.writers._identifiers import identifiers, word_of


@dataclass(frozen=True)
class Volume:
    """A volume of an image set.

    Attributes:
        name: name of the volume.
        slices: indices of its slices in the set, in the order of their place.
    """

    name: str
    slices: list[int]


@dataclass(frozen=True)
class ScoredVolume(Volume):
    """A volume with its scores.

    Attributes:
        label: 1 if any slice is abnormal, 0 if all are normal, else -1: unknown.
        scores: the mean of the highest tenth of its slices, by the name of the score.
        highest: index of the slice whose default score is the highest.
        p_value: of the default score, among held-out normal volumes; None where the model knows of none.
        anomalous: decided as for images; None without a p-value.
    """

    label: int
    scores: dict[str, float]
    highest: int
    p_value: float | None = None
    anomalous: bool | None = None


def volumes(images: ImageSet) -> list[Volume]:
    """Return the volumes of which the set holds more than one slice."""
    found = slices_of([origin.volume for origin in images.origins])
    return [Volume(name, sorted(indices, key=lambda i: images.origins[i].position)) for name, indices in found.items()]


def score_volumes(
    images: ImageSet, terms: dict[str, np.ndarray], known: Calibration | None, alpha: float, fdr: float | None = None
) -> list[ScoredVolume]:
    """Return the volumes with scores and decisions.

    Args:
        images: the slices.
        terms: scores (n,) of the slices by name.
        known: scores of held-out normal volumes, if there are any.
        alpha: false-positive rate of the decisions.
        fdr: a false discovery rate to decide by instead.
    """
    found = volumes(images)
    scores = [{name: aggregate(terms[name][one.slices]) for name in SCORES} for one in found]
    p_values: list[float | None] = [None] * len(found)
    anomalous: list[bool | None] = [None] * len(found)
    if known is not None:
        p = known.p_value(np.array([one[DEFAULT_SCORE] for one in scores]))
        called = p <= known.reachable(alpha) if fdr is None else false_discovery_adjusted(p, fdr) <= fdr
        p_values, anomalous = p.tolist(), called.tolist()
    return [
        ScoredVolume(
            one.name,
            one.slices,
            label=_label(images.labels[one.slices]),
            scores=scores[i],
            highest=max(one.slices, key=lambda i: terms[DEFAULT_SCORE][i]),
            p_value=p_values[i],
            anomalous=anomalous[i],
        )
        for i, one in enumerate(found)
    ]


def _label(of_slices: np.ndarray) -> int:
    """Return the label of a volume: a slice of which nothing is known may be abnormal."""
    if (of_slices == 1).any():
        return 1
    return 0 if (of_slices == 0).all() else -1


def write_volume_scores(path: Path, images: ImageSet, scored: list[ScoredVolume]) -> int:
    """Write a CSV file with one row per volume, where there are any; return their number.

    Columns: volume, label (1 if any slice is abnormal, empty where unknown), slices, every score, the p-value of the
    default one and whether the volume is anomalous (yes or no; both empty where the model knows no held-out volumes),
    and the slice whose default score is the highest; group (patient), UIDs and accession number follow where the files
    tell them.

    Args:
        path: the file.
        images: the slices.
        scored: the volumes, as `score` gives them.
    """
    if not scored:
        return 0
    told = identifiers(images, [volume.slices[0] for volume in scored], besides=("volume", "sop_uid"))
    with new_file(path) as partial, open_table(partial) as file:
        writer = csv.writer(file)
        writer.writerow(("volume", "label", "slices", *SCORES, "p_value", "anomalous", "highest_slice", *told))
        for row, volume in enumerate(scored):
            writer.writerow(
                [
                    volume.name,
                    "" if volume.label < 0 else volume.label,
                    len(volume.slices),
                    *(repr(volume.scores[name]) for name in SCORES),
                    "" if volume.p_value is None else repr(volume.p_value),
                    word_of(volume.anomalous),
                    images.names[volume.highest],
                    *(values[row] for values in told.values()),
                ]
            )
    return len(scored)
