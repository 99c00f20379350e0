"""Scores as files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from entropix._utils import new_file, open_table
from entropix.data import ImageSet
from entropix.detector import EntropixDetector, check_detector
from entropix.scoring import DEFAULT_SCORE, SCORES, detection_metrics


@dataclass(frozen=True)
class Scored:
    """Scores of images.

    Attributes:
        terms: scores and the terms of the default one, (n,) by name (`entropix.detector.Scorer.explain`).
        p_values: p-values (n,) of the default score.
        metrics: "auc" and "ap" of every score, where labels are known.
    """

    terms: dict[str, np.ndarray]
    p_values: np.ndarray
    metrics: dict[str, dict[str, float]]


def check_images(detector: EntropixDetector, images: ImageSet) -> None:
    """Raise an error unless these are a fitted detector of images, and images as it reads them."""
    check_detector(detector)
    if not isinstance(images, ImageSet):
        raise TypeError(f"{type(images).__name__} as images; expected what detector.read(images) returns")


def score(detector: EntropixDetector, images: ImageSet) -> Scored:
    """Score images, and measure how well the scores separate those of known label."""
    check_images(detector, images)
    terms = detector.explain(images, progress=True)
    metrics = {name: detection_metrics(images.labels, terms[name]) for name in SCORES}
    p_values = detector.calibration_.p_value(terms[DEFAULT_SCORE])
    return Scored(terms, p_values, {name: values for name, values in metrics.items() if values})


def write_scores(path: Path, images: ImageSet, scored: Scored) -> None:
    """Write a CSV file with one row per image.

    Columns: path, label (empty where unknown), the default score, its p-value, the other scores; group (patient) and
    volume follow where the files tell them.

    Args:
        path: the file.
        images: the images.
        scored: their scores.
    """
    told = {
        "group": [group if group != name else "" for name, group in zip(images.names, images.groups, strict=True)],
        "volume": [origin.volume for origin in images.origins],
    }
    told = {name: values for name, values in told.items() if any(values)}
    with new_file(path) as partial, open_table(partial) as file:
        writer = csv.writer(file)
        columns = {DEFAULT_SCORE: scored.terms[DEFAULT_SCORE], "p_value": scored.p_values}
        columns |= {name: scored.terms[name] for name in SCORES if name != DEFAULT_SCORE}
        writer.writerow(["path", "label", *columns, *told])
        rows = np.column_stack(list(columns.values())).tolist()
        for i, (name, label, values) in enumerate(zip(images.names, images.labels.tolist(), rows, strict=True)):
            more = [values_of[i] for values_of in told.values()]
            writer.writerow([name, "" if label < 0 else label, *map(repr, values), *more])
