"""`entropix demo`: the whole job on simulated images whose answers are known. No network, no files needed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from entropix._utils import check_new_folder, new_folder
from entropix.baseline import Sweep, sweep
from entropix.datasets import Phantoms, phantoms
from entropix.detector import EntropixDetector, fit
from entropix.plots import new_figure, plot_curve, plot_heatmaps
from entropix.scoring import SCORES, detection_metrics

FACTORS = 4
TRAIN, TEST = 600, 300
EPOCHS = 60
FILES = ("curve.png", "heatmaps.png", "demo.json")
SWEEP_DIMS = (1, 2, 4, 8, 64)


def run(out: Path, *, seed: int, progress: bool) -> dict[str, Any]:
    """Fit, compare with the labelled sweep, write `FILES` to `out`, which may hold those of an earlier run."""
    check_new_folder(out, replaceable=FILES)
    started = time.monotonic()
    normal = phantoms(TRAIN, FACTORS, seed=seed)
    test = phantoms(TEST, FACTORS, lesions=0.5, seed=seed + 1)
    detector = fit(normal.images, epochs=EPOCHS, seed=seed, progress=progress)
    fitted = time.monotonic()
    baseline = sweep(
        normal.images,
        test.images,
        test.labels,
        dims=SWEEP_DIMS,
        seeds=(seed,),
        epochs=EPOCHS,
        progress=progress,
    )
    result = _result(detector, baseline, test)
    result["seconds"] = {"fit": fitted - started, "sweep": time.monotonic() - fitted}
    _write(out, result, detector, test)
    return result | {"pictures": [str(out / name) for name in FILES[:2]]}


def describe(result: dict[str, Any]) -> str:
    """Return the result in words."""
    auto, sweep_rows, best = result["auto"], result["sweep"], result["sweep_best"]
    lines = [
        f"{TRAIN} simulated normal images with {result['true_factors']} factors of variation",
        f"  intrinsic dimension   {result['intrinsic_dimension']:.1f}",
        f"  chosen d              {result['latent_dim']}  (from normal images alone)",
        f"AUC on {TEST} test images, half of them with a lesion",
        *(f"  {name:<22}{values['auc']:.3f}  at the chosen d" for name, values in auto.items()),
        "  fixed-d sweep         " + ", ".join(f"{row['auc']:.3f} (d = {row['latent_dim']})" for row in sweep_rows),
        f"  its best, by labels   {best['auc']:.3f}  at d = {best['latent_dim']}",
        f"time: fit {result['seconds']['fit']:.0f} s, sweep {result['seconds']['sweep']:.0f} s",
        *(f"picture: {path}" for path in result["pictures"]),
    ]
    return "\n".join(lines)


def _result(detector: EntropixDetector, baseline: Sweep, test: Phantoms) -> dict[str, Any]:
    assert detector.entropy_ is not None
    terms = detector.explain(test.images)
    return {
        "true_factors": FACTORS,
        "latent_dim": detector.latent_dim_,
        "reason": detector.reason_,
        "intrinsic_dimension": detector.entropy_.dimension,
        "entropy": detector.entropy_.to_dict(),
        "auto": {name: detection_metrics(test.labels, terms[name]) for name in SCORES},
        "sweep": baseline.table(),
        "sweep_best": baseline.best(),
    }


def _write(out: Path, result: dict[str, Any], detector: EntropixDetector, test: Phantoms) -> None:
    figure, axes = new_figure(7, 4)
    plot_curve(detector, axes[0][0])
    figure.suptitle(f"{FACTORS} true factors, d = {detector.latent_dim_} chosen")
    shown = np.flatnonzero(test.labels == 1)[:6]
    examples, axes = new_figure(9, 4.8, 3, len(shown))
    plot_heatmaps(detector, test.images[shown], axes, test.masks[shown])
    with new_folder(out) as scratch:
        figure.savefig(scratch / "curve.png", dpi=150)
        examples.savefig(scratch / "heatmaps.png", dpi=150)
        (scratch / "demo.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
