"""`entropix demo`: the whole job on simulated slices of heads, whose answers are known. No network, no files needed."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from entropix._utils import check_new_folder, new_folder
from entropix.baseline import sweep
from entropix.data import ImageSet
from entropix.datasets import Phantoms, phantoms
from entropix.detector import EntropixDetector, fit
from entropix.plots import new_figure, plot_curve, plot_heatmaps
from entropix.report import write_report
from entropix.scoring import SCORES, detection_metrics

FACTORS = 8
TRAIN, TEST = 500, 200
EPOCHS = 45  # a third of the presentations of a default fit: enough for images as regular as these
SWEEP_DIMS = (4, 8, 16)
SWEEP_EPOCHS = 200  # the default of so many images: the baseline is not to be the one that has not learnt
PICTURES = {"heatmaps.png": "where it looks", "curve.png": "why this d"}
RESULT = "demo.json"
FILES = ("model", "report.html", *PICTURES, RESULT)
LESIONS_SHOWN = 5


def run(out: Path, *, seed: int, full: bool, progress: bool) -> dict[str, Any]:
    """Fit, score, write `FILES` to `out`, which may hold those of an earlier run; full: run the labelled sweep too."""
    check_new_folder(out, replaceable=FILES if (out / RESULT).exists() else ())
    started = time.monotonic()
    normal = phantoms(TRAIN, FACTORS, seed=seed)
    test = phantoms(TEST, FACTORS, lesions=0.5, seed=seed + 1)
    detector = fit(normal.images, epochs=EPOCHS, seed=seed, progress=progress)
    result = _result(detector, test)
    result["seconds"] = {"fit": time.monotonic() - started}
    if full:
        started = time.monotonic()
        baseline = sweep(
            normal.images,
            test.images,
            test.labels,
            dims=SWEEP_DIMS,
            seeds=(seed,),
            epochs=SWEEP_EPOCHS,
            progress=progress,
        )
        result |= {"sweep": baseline.table(), "sweep_best": baseline.best()}
        result["seconds"]["sweep"] = time.monotonic() - started
    _write(out, result, detector, test)
    return result | {"files": [str(out / name) for name in FILES]}


def describe(result: dict[str, Any], out: Path) -> str:
    """Return the result in words."""
    lines = [
        f"{TRAIN} simulated slices of normal heads that differ in {result['true_factors']} ways",
        f"  intrinsic dimension   {result['intrinsic_dimension']:.1f}",
        f"  chosen d              {result['latent_dim']}  (from normal images alone)",
        f"AUC on {TEST} other slices, half of them with a lesion",
        *(f"  {name:<22}{values['auc']:.3f}  at the chosen d" for name, values in result["auto"].items()),
    ]
    if "sweep" in result:
        best = result["sweep_best"]
        lines += [
            "  fixed-d sweep         "
            + ", ".join(f"{row['auc']:.3f} (d = {row['latent_dim']})" for row in result["sweep"]),
            f"  its best, by labels   {best['auc']:.3f}  at d = {best['latent_dim']}",
        ]
    lines += [
        "time: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result["seconds"].items()),
        *(f"picture, {about}: {out / name}" for name, about in PICTURES.items()),
        f"model: {out / 'model'}",
        f"open {out / 'report.html'}",
    ]
    return "\n".join(lines)


def _result(detector: EntropixDetector, test: Phantoms) -> dict[str, Any]:
    assert detector.entropy_ is not None
    terms = detector.explain(test.images)
    return {
        "true_factors": FACTORS,
        "latent_dim": detector.latent_dim_,
        "reason": detector.reason_,
        "intrinsic_dimension": detector.entropy_.dimension,
        "entropy": detector.entropy_.to_dict(),
        "auto": {name: detection_metrics(test.labels, terms[name]) for name in SCORES},
    }


def _write(out: Path, result: dict[str, Any], detector: EntropixDetector, test: Phantoms) -> None:
    with new_folder(out) as scratch:
        detector.save(scratch / "model")
        write_report(detector, scratch / "report.html", model="entropix demo", data=_named(detector, test))
        _draw_curve(scratch / "curve.png", detector)
        _draw_examples(scratch / "heatmaps.png", detector, test)
        (scratch / RESULT).write_text(json.dumps(result, indent=1), encoding="utf-8")


def _named(detector: EntropixDetector, test: Phantoms) -> ImageSet:
    """The test images with their labels, and names that say the truth."""
    kinds = ("normal", "lesion")
    names = [f"{kinds[label]}-{i:03}" for i, label in enumerate(test.labels)]
    return replace(
        detector.read(test.images), names=names, groups=names, labels=test.labels, source="simulated slices of heads"
    )


def _draw_curve(path: Path, detector: EntropixDetector) -> None:
    figure, axes = new_figure(7, 4.4)
    axes[0][0].axvline(FACTORS, color="tab:green", lw=5, alpha=0.4, label=f"true number of factors = {FACTORS}")
    plot_curve(detector, axes[0][0])
    figure.suptitle(f"d = {detector.latent_dim_}, chosen from normal slices alone, which differ in {FACTORS} ways")
    figure.savefig(path, dpi=150)


def _draw_examples(path: Path, detector: EntropixDetector, test: Phantoms) -> None:
    """A normal image and lesions from the plainest to the faintest, evenly spaced in the order of their scores."""
    scores = detector.anomaly_score(test.images)
    normal, lesions = ([i for i in np.argsort(-scores) if test.labels[i] == label] for label in (0, 1))
    spaced = np.linspace(0, len(lesions) - 1, LESIONS_SHOWN + 2).round().astype(int)[1:-1]
    shown = np.array([normal[len(normal) // 2], *(lesions[i] for i in spaced)])
    images = test.images[shown]
    p = detector.p_value(images)
    titles = [
        f"{'lesion' if test.labels[i] else 'normal'}\nscore {scores[i]:.0f}, p = {value:.3f}"
        for i, value in zip(shown, p, strict=True)
    ]
    figure, axes = new_figure(11, 5.8, 3, len(shown))
    plot_heatmaps(detector, images, axes, test.masks[shown], titles)
    figure.suptitle("A normal slice of median score, and lesions from plain to faint (outlined: the truth)")
    figure.savefig(path, dpi=150)
