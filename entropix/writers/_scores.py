"""Scores as files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from entropix._utils import new_file, open_table
from entropix.data import ImageSet
from entropix.detector import EntropixDetector, Separation, check_detector, separation
from entropix.scoring import DEFAULT_SCORE, MAP, SCORES, false_discovery_adjusted, warn_of_shift
from entropix.writers._identifiers import identifiers, word_of
from entropix.writers._volumes import ScoredVolume, score_volumes


@dataclass(frozen=True)
class Scored:
    """Scores of images.

    Attributes:
        terms: scores and the terms of the default one, (n,) by name (`entropix.detector.Scorer.explain`).
        p_values: p-values (n,) of the default score.
        anomalous: decisions (n,): p-values up to alpha or, where a false discovery rate was asked for, its discoveries.
        alpha: false-positive rate of the decisions: that of the detector, or the smallest that it can tell.
        separation: "auc" and "ap" of every score, where labels are known, with and without copies of the fit's images.
        volumes: the volumes of the images, scored and decided in the same way by held-out normal volumes.
        fdr: false discovery rate of the decisions; None: they were made by alpha.
        maps: heat maps (n, s, s), if they were asked for.
    """

    terms: dict[str, np.ndarray]
    p_values: np.ndarray
    anomalous: np.ndarray
    alpha: float
    separation: Separation
    volumes: list[ScoredVolume]
    fdr: float | None = None
    maps: np.ndarray | None = None


def check_images(detector: EntropixDetector, images: ImageSet) -> None:
    """Raise an error unless these are a fitted detector of images, and images as it reads them."""
    check_detector(detector)
    if not isinstance(images, ImageSet):
        raise TypeError(f"{type(images).__name__} as images; expected what detector.read(images) returns")


def score(detector: EntropixDetector, images: ImageSet, fdr: float | None = None, *, maps: bool = False) -> Scored:
    """Score images and their volumes, decide which are anomalous, and measure how well scores separate known labels.

    Args:
        detector: a fitted one.
        images: as `detector.read` gives them.
        fdr: decide by this false discovery rate (`EntropixDetector.p_value`) instead of the detector's alpha.
        maps: give the heat maps too, which are computed together with the scores.

    Warns with `ShiftWarning` if the images are so far from those of the model that p-values promise nothing.

    Raises:
        ValueError: an `fdr` that is not between 0 and 1.
    """
    check_images(detector, images)
    terms = detector.explain(images, progress=True, maps=maps)
    heat = terms.pop(MAP, None)
    known = detector.calibration_
    p_values, alpha = known.p_value(terms[DEFAULT_SCORE]), known.reachable(detector.alpha)
    warn_of_shift(known, p_values, images.groups)
    anomalous = p_values <= alpha if fdr is None else false_discovery_adjusted(p_values, fdr) <= fdr
    separated = separation(detector, images, images.labels, {name: terms[name] for name in SCORES})
    return Scored(
        terms,
        p_values,
        anomalous,
        alpha,
        separated,
        score_volumes(images, terms, known.volumes, detector.alpha, fdr),
        fdr,
        heat,
    )


def write_scores(path: Path, images: ImageSet, scored: Scored) -> None:
    """Write a CSV file with one row per image.

    Columns: path, label (empty where unknown), the default score, its p-value, the other scores, whether the image is
    anomalous (yes or no); group (patient), volume, UIDs and accession number follow where the files tell them.

    Args:
        path: the file.
        images: the images.
        scored: their scores.
    """
    told = identifiers(images, range(len(images)))
    with new_file(path) as partial, open_table(partial) as file:
        writer = csv.writer(file)
        columns = {DEFAULT_SCORE: scored.terms[DEFAULT_SCORE], "p_value": scored.p_values}
        columns |= {name: scored.terms[name] for name in SCORES if name != DEFAULT_SCORE}
        writer.writerow(["path", "label", *columns, "anomalous", *told])
        rows = np.column_stack(list(columns.values())).tolist()
        for i, (name, label, values) in enumerate(zip(images.names, images.labels.tolist(), rows, strict=True)):
            more = [values_of[i] for values_of in told.values()]
            shown = "" if label < 0 else label
            writer.writerow([name, shown, *map(repr, values), word_of(bool(scored.anomalous[i])), *more])
