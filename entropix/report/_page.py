"""From a detector and scored images to the page.

A model folder holds no pictures, so that handing on a model hands on no patient's image: pictures come from `data`,
and those of normal images from `normal`, where they are given, and go into the page alone. Therefore also nothing
opens the folder of the fit on its own, although the model knows where it was.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from entropix import plots
from entropix._utils import as_path, check_new_file, new_file, versions
from entropix.data import ImageSet, Select
from entropix.detector import EntropixDetector, check_detector
from entropix.options import to_words
from entropix.report._figures import scale_png
from entropix.report._pictures import NEIGHBOURS, Album, NormalImages
from entropix.report._scores import Scores, read_scores
from entropix.report._template import render
from entropix.report._verdict import Verdict, judge
from entropix.report._volumes import strips
from entropix.scoring import DEFAULT_SCORE, SCORES, locate

LISTED, MOST_LISTED = 20, 100  # rows of the table of scores: at least, and at most if more images stand out
HIGHEST, TYPICAL = 9, 3  # images that are shown
MOST_OF_GROUP = 2  # of one patient or volume among the highest: neighbouring slices show the same thing
WIDE = (4.6, 3.2)  # figures as wide as the text, inches: on a telephone their letters have 10 pixels


def write_report(
    detector: EntropixDetector,
    out: str | Path,
    *,
    model: str = "",
    data: Any = None,
    normal: Any = None,
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
        normal: the normal images of the fit, of which the nearest are shown beside each image of `data`.
        scores: instead of `data`, the CSV file that `entropix score` wrote: numbers without pictures.
        overwrite: replace `out`.
        **options: how `data` is read: `split`, `select`, `skip_unreadable` and other arguments of `entropix.data.read`.

    Raises:
        ValueError: both `data` and `scores`; `normal` without `data`; a detector of vectors.
        DataError: `scores` is not a file that `entropix score` wrote.
        FileExistsError: `out` exists.
    """
    out = as_path(out, "out")
    check_detector(detector)
    check_new_file(out, overwrite)
    if data is not None and scores is not None:
        raise ValueError("data and scores (--data and --scores): give one; with data, scores are computed")
    if normal is not None and data is None:
        raise ValueError("normal (--normal) without data (--data): normal images are shown beside those of data")
    if detector.standard_ is not None:
        raise ValueError("this detector was fitted to flat feature vectors; a report is about images")
    found = None if scores is None else read_scores(as_path(scores, "scores"))
    shown: dict[str, Any] = {}
    images, verdict = None, None
    if data is not None:
        images = detector.read(data, progress=True, **options)
        found = _score(detector, images)
    if found is not None:
        verdict = judge(detector, found, images)
    if images is not None and found is not None and verdict is not None:
        of_fit = None if normal is None else NormalImages(detector, normal)
        shown = _shown(detector, data, images, found, verdict, of_fit, options.get("split", "test"))
        shown["located"] = locate(images, detector.surprise_maps)
    page = render(
        "page.html",
        detector=detector,
        model=model,
        what=_name(scores if data is None else data, images),
        today=date.today(),
        verdict=verdict,
        figures=_figures(detector, found),
        highest=[] if found is None or verdict is None else _highest(detector, found, len(verdict.flagged)),
        shown=shown,
        unreadable=[] if images is None else images.unreadable,
        versions=versions(),
        command=_command(detector),
        default=SCORES[DEFAULT_SCORE],
        scores=SCORES,
        scale=scale_png(),
        most_listed=LISTED,
    )
    with new_file(out) as partial_file:
        partial_file.write_text(page, encoding="utf-8", errors="backslashreplace")  # names of files may be no text
    return out


def _name(source: Any, images: ImageSet | None) -> str:
    """Return what the page calls its data: the last part of a path, else their kind; nothing where there are none."""
    if isinstance(source, str | Path):
        return Path(source).resolve().name
    return "" if images is None else images.source


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
    svg = plots.svg
    figures = {"history": svg(partial(plots.plot_history, detector), "Training loss against epochs", "history")}
    if detector.curve_:
        figures["curve"] = svg(
            partial(plots.plot_curve, detector),
            f"Entropy of the reconstructions and visibility against d; d = {detector.latent_dim_} is marked, with the "
            "deficit of shorter codes on the left and the leakage of longer ones on the right",
            "curve",
            WIDE,
        )
        figures["errors"] = svg(
            partial(plots.plot_errors, detector), "Training and held-out errors against d", "errors"
        )
    if found is None or not len(found):
        return figures
    drawn = partial(plots.plot_scores, detector, scores=found.default, labels=found.labels)
    figures["scores"] = svg(drawn, "Histogram of the scores with the calibrated level", "scores", WIDE)
    if {0, 1} <= set(found.labels.tolist()):
        roc, pr = plots.plot_roc, plots.plot_precision_recall
        figures["roc"] = svg(partial(roc, scores=found.by_name, labels=found.labels), "ROC curves", "roc")
        figures["pr"] = svg(partial(pr, scores=found.by_name, labels=found.labels), "Precision against recall", "pr")
    return figures


def _highest(detector: EntropixDetector, found: Scores, n_flagged: int) -> list[dict[str, Any]]:
    """The rows of the highest scores: of all that stand out, within reason."""
    order = found.order[: min(max(LISTED, n_flagged), MOST_LISTED)]
    p = detector.calibration_.p_value(found.default[order])
    return [
        {"name": found.names[i], "label": int(found.labels[i]), "score": found.default[i], "p": p_value}
        for i, p_value in zip(order, p, strict=True)
    ]


def _shown(
    detector: EntropixDetector,
    data: Any,
    images: ImageSet,
    found: Scores,
    verdict: Verdict,
    normal: NormalImages | None,
    split: str,
) -> dict[str, Any]:
    """Pictures: images that stand out, typical ones, volumes; and where the heat of those that stand out lies."""
    album, order = Album(detector, data, images, found, normal, split), found.order
    middle = max(HIGHEST, (len(order) - TYPICAL) // 2)
    findings = verdict.flagged if len(verdict.flagged) else order[:TYPICAL]
    highest = _few_of_each(findings, images.groups)[:HIGHEST]
    others = order[middle:][~np.isin(order[middle:], highest)]
    return {
        "findings": album.pictures(highest),
        "most_of_group": MOST_OF_GROUP,
        "typical": album.pictures(others[:TYPICAL]),
        "volumes": strips(album, images, found, verdict.level),
        "places": album.places(findings),
        "level": album.level,
        "top": album.top,
        "normal": None if normal is None else len(normal),
        "neighbours": NEIGHBOURS,
    }


def _few_of_each(chosen: np.ndarray, groups: list[str]) -> np.ndarray:
    """Return those of the indices (m,) of images that are among the first two of their group, in the same order."""
    seen: Counter[str] = Counter()
    kept = []
    for i in chosen.tolist():
        seen[groups[i]] += 1
        if seen[groups[i]] <= MOST_OF_GROUP:
            kept.append(i)
    return np.array(kept, np.int64)
