"""Scores as files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from entropix._utils import new_file
from entropix.data import ImageSet
from entropix.detector import EntropixDetector
from entropix.scoring import detection_metrics

COLUMNS = ("path", "label", "surprisal", "p_value", "residual")


@dataclass(frozen=True)
class Scored:
    """terms: scores (n,) by name; p_values (n,): of the surprisal; metrics: AUC and AP where labels are known."""

    terms: dict[str, np.ndarray]
    p_values: np.ndarray
    metrics: dict[str, dict[str, float]]


def score(detector: EntropixDetector, images: ImageSet) -> Scored:
    """Scores of images, and how well they separate those of known label."""
    terms = detector.explain(images, progress=True)
    metrics = {name: detection_metrics(images.labels, terms[name]) for name in ("surprisal", "residual")}
    p_values = detector.calibration_.p_value(terms["surprisal"])
    return Scored(terms, p_values, {name: values for name, values in metrics.items() if values})


def write_scores(path: Path, images: ImageSet, scored: Scored) -> None:
    """A CSV file with one row per image; the label is empty where unknown.

    Columns group (patient) and volume follow where the files tell them.
    """
    told = {
        "group": [group if group != name else "" for name, group in zip(images.names, images.groups, strict=True)],
        "volume": [origin.volume for origin in images.origins],
    }
    told = {name: values for name, values in told.items() if any(values)}
    with new_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *told])
        rows = np.column_stack([scored.terms["surprisal"], scored.p_values, scored.terms["residual"]]).tolist()
        for i, (name, label, values) in enumerate(zip(images.names, images.labels.tolist(), rows, strict=True)):
            more = [values_of[i] for values_of in told.values()]
            writer.writerow([name, "" if label < 0 else label, *map(repr, values), *more])
