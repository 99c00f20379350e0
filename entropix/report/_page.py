"""From a detector and scored images to the page.

A model folder holds no pictures, so that handing on a model hands on no patient's image: pictures come from `data`,
where it is given, and go into the page alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from entropix import plots
from entropix._utils import as_path, check_new_file, new_file, quoted, read_table, versions
from entropix.data import DataError, ImageSet, Select
from entropix.detector import EntropixDetector, check_detector
from entropix.options import to_words
from entropix.report._figures import grey_png, heat_png, svg
from entropix.scoring import DEFAULT_SCORE, PEAK, SCORES, detection_metrics, find_regions

MOST_LISTED = 20
HIGHEST, TYPICAL = 9, 3  # images that are shown


@dataclass(frozen=True)
class Scores:
    """Scores of n images.

    Attributes:
        names: name of each image.
        labels: (n,) 0 normal, 1 abnormal, -1 unknown.
        by_name: values (n,) of every score.
    """

    names: list[str]
    labels: np.ndarray
    by_name: dict[str, np.ndarray]

    @property
    def default(self) -> np.ndarray:
        """Values (n,) of the default score."""
        return self.by_name[DEFAULT_SCORE]


def write_report(
    detector: EntropixDetector,
    out: str | Path,
    *,
    model: str = "",
    data: Any = None,
    scores: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Write one HTML page that needs nothing else, and return its path.

    Args:
        detector: fitted to images.
        out: the file.
        model: what the page calls the detector, such as its folder.
        data: images to score and to show, anything `entropix.data.read` takes.
        scores: instead of `data`, the CSV file that `entropix score` wrote: numbers without pictures.
        overwrite: replace `out`.
        **options: how `data` is read: `split`, `select`, `skip_unreadable` and other arguments of `entropix.data.read`.

    Raises:
        ValueError: both `data` and `scores`; a detector of vectors.
        DataError: `scores` is not a file that `entropix score` wrote.
        FileExistsError: `out` exists.
    """
    import jinja2

    out = as_path(out, "out")
    check_detector(detector)
    check_new_file(out, overwrite)
    if data is not None and scores is not None:
        raise ValueError("data and scores (--data and --scores): give one; with data, scores are computed")
    if detector.standard_ is not None:
        raise ValueError("this detector was fitted to flat feature vectors; a report is about images")
    images = None if data is None else detector.read(data, progress=True, **options)
    found = None if scores is None else read_scores(as_path(scores, "scores"))
    if images is not None:
        found = _score(detector, images)
    template = files("entropix.report").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(template).render(
        detector=detector,
        model=model,
        figures=_figures(detector, found),
        scored=None if found is None else _scored(detector, found),
        pictures=None if images is None or found is None else _pictures(detector, images, found),
        unreadable=[] if images is None else images.unreadable,
        versions=versions(),
        command=_command(detector),
        default=SCORES[DEFAULT_SCORE],
    )
    with new_file(out) as partial_file:
        partial_file.write_text(page, encoding="utf-8", errors="backslashreplace")  # names of files may be no text
    return out


def read_scores(path: Path) -> Scores:
    """Read the CSV file that `entropix score` wrote to `path`.

    Raises:
        DataError: another kind of file; the message says which line is wrong.
        OSError: the file cannot be read.
    """
    try:
        rows = read_table(path, ("path", "label", *SCORES))
        columns = {name: [_number(path, row, name, i) for i, row in enumerate(rows)] for name in ("label", *SCORES)}
    except DataError as error:
        raise DataError(f"{error}: this is not what `entropix score` writes; expected its CSV file") from None
    return Scores(
        names=[row["path"] for row in rows],
        labels=np.array(columns.pop("label"), np.int64),
        by_name={name: np.array(values, np.float32) for name, values in columns.items()},
    )


def _number(path: Path, row: dict[str, str], column: str, index: int) -> float:
    """Return a cell as a number: 0, 1 or -1 (unknown) of a label, anything finite of a score."""
    text = row[column]
    try:
        value = float(text or -1) if column == "label" else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (column == "label" and value not in (-1, 0, 1)):
        expected = "0, 1 or nothing" if column == "label" else "a number, such as 0.5"
        raise DataError(f"{path}, row {index + 1}: {column} {quoted(text)}, expected {expected}")
    return value


def _command(detector: EntropixDetector) -> str:
    """The command that repeats the fit; DATA and MODEL stand for paths."""
    settings = detector.settings_
    values = detector.get_params() | {"skip_unreadable": bool(settings["unreadable"])}
    values |= {name: settings[name] for name in values if name in settings}
    values |= {name: settings.get(name, []) for name in ("include", "exclude")}
    values |= {"image_size": detector.model_.image_size, "select": Select(**settings.get("select", {}))}
    if (devices := settings.get("devices", 1)) > 1:
        values["device"] = settings["device"].split(":")[0]
    words = to_words(values) + ([f"--devices {devices}"] if devices > 1 else [])
    return " \\\n  ".join(["entropix fit DATA --out MODEL", *words])


def _score(detector: EntropixDetector, images: ImageSet) -> Scores:
    terms = detector.explain(images, progress=True)
    return Scores(images.names, images.labels, {name: terms[name] for name in SCORES})


def _figures(detector: EntropixDetector, found: Scores | None) -> dict[str, str]:
    """SVG elements by name."""
    figures = {"history": svg(partial(plots.plot_history, detector), "Training loss against epochs", "history")}
    if detector.curve_:
        figures["curve"] = svg(
            partial(plots.plot_curve, detector),
            f"Entropy of the reconstructions and visibility against d; d = {detector.latent_dim_} is marked",
            "curve",
        )
        figures["errors"] = svg(
            partial(plots.plot_errors, detector), "Training and held-out errors against d", "errors"
        )
    if found is None or not len(found.names):
        return figures
    drawn = partial(plots.plot_scores, detector, scores=found.default, labels=found.labels)
    figures["scores"] = svg(drawn, "Histogram of the scores with the calibrated level", "scores")
    if {0, 1} <= set(found.labels.tolist()):
        roc, pr = plots.plot_roc, plots.plot_precision_recall
        figures["roc"] = svg(partial(roc, scores=found.by_name, labels=found.labels), "ROC curves", "roc")
        figures["pr"] = svg(partial(pr, scores=found.by_name, labels=found.labels), "Precision against recall", "pr")
    return figures


def _scored(detector: EntropixDetector, found: Scores) -> dict[str, Any]:
    """Counts, metrics and the rows of the highest scores."""
    p = detector.calibration_.p_value(found.default)
    flagged = found.default > -detector.offset_
    order = np.argsort(-found.default, kind="stable")[:MOST_LISTED]
    return {
        "n": len(found.names),
        "flagged": int(flagged.sum()),
        "metrics": {name: m for name, v in found.by_name.items() if (m := detection_metrics(found.labels, v))},
        "rates": {
            name: float(flagged[found.labels == value].mean())
            for value, name in ((0, "normal"), (1, "abnormal"))
            if (found.labels == value).any()
        },
        "highest": [
            {"name": found.names[i], "label": int(found.labels[i]), "score": found.default[i], "p": p[i]} for i in order
        ],
    }


def _pictures(detector: EntropixDetector, images: ImageSet, found: Scores) -> list[dict[str, Any]]:
    """Two groups of images, the highest scores and typical ones."""
    order = np.argsort(-found.default, kind="stable")
    middle = max(HIGHEST, (len(order) - TYPICAL) // 2)
    groups = {"Highest scores": order[:HIGHEST], "Typical scores": order[middle : middle + TYPICAL]}
    return [
        {"title": title, "images": _triples(detector, images, found, chosen)}
        for title, chosen in groups.items()
        if len(chosen)
    ]


def _triples(detector: EntropixDetector, images: ImageSet, found: Scores, chosen: np.ndarray) -> list[dict[str, Any]]:
    """Each chosen image with its reconstruction, heat map and regions, at the model's resolution."""
    shown = images.subset(chosen)
    p = detector.calibration_.p_value(found.default[chosen])
    level = detector.calibration_.threshold(detector.calibration_.reachable(detector.alpha), PEAK)
    pictures = (shown.scaled(detector.value_range_).numpy(), detector.reconstruct(shown), detector.surprise_maps(shown))
    return [
        {
            "name": found.names[i],
            "label": int(found.labels[i]),
            "score": found.default[i],
            "p": p_value,
            "size": heat.shape[-1],
            "image": grey_png(image),
            "reconstruction": grey_png(reconstruction),
            "heat": heat_png(heat, 2 * level),
            "regions": find_regions(heat, level, heat.shape),
        }
        for i, p_value, image, reconstruction, heat in zip(chosen, p, *pictures, strict=True)
    ]
