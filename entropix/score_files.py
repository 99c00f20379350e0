"""Scores and heat maps as files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from entropix.data import ImageSet
from entropix.detector import EntropixDetector, resize_map
from entropix.files import new_file, new_folder
from entropix.metrics import detection_metrics

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
    """A CSV file with one row per image; the label is empty where unknown."""
    with new_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        rows = np.column_stack([scored.terms["surprisal"], scored.p_values, scored.terms["residual"]]).tolist()
        for name, label, values in zip(images.names, images.labels.tolist(), rows, strict=True):
            writer.writerow([name, "" if label < 0 else label, *map(repr, values)])


def write_heatmaps(folder: Path, detector: EntropixDetector, images: ImageSet) -> None:
    """A PNG per image, in the image's own size; one colour scale for all of them, so that they compare."""
    import matplotlib
    from PIL import Image

    maps = detector.surprise_maps(images, progress=True)
    top = float(np.quantile(maps, 0.999)) or 1.0
    colours = matplotlib.colormaps["inferno"]
    with new_folder(folder) as scratch:
        for name, one, size in zip(images.names, maps, images.sizes.tolist(), strict=True):
            # nothing of a name may lead out of the folder
            parts = [part for part in PurePosixPath(name.replace("#", "_")).parts if part not in ("/", "..")]
            path = scratch.joinpath(*parts[:-1], f"{parts[-1]}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(colours(resize_map(one, size) / top, bytes=True)[..., :3]).save(path)
