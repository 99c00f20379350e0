"""What p-values promise on another scanner, before and after a recalibration; writes results/new_site.json.

    python benchmarks/new_site.py --data FOLDER ... [--epochs 20] [--parts FOLDER] [--out JSON]

A detector is fitted to the normal training images of each set. The other scanner is made up: gamma, brightness and
contrast, blur or noise change all test images, at the model's resolution. Half of the normal test images, by patient
where known, are what the site has: n of them, drawn at random, recalibrate the detector. The other half gives the
false-positive rate at alpha = .05, the abnormal images the true-positive rate and the AUC. Compared are

    before      the detector as it was fitted
    thresholds  the scores of the n images in place of the held-out ones, the score as it was
    levels      `detector.recalibrate`: the residual's levels and the unit of the latent term are learnt anew, too

over three draws of n images. "warned" says whether `entropix score` warns of the other half, normal images alone, and
of both halves of a batch of as many abnormal images.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from runs import environment, once
from tasks import Task, load

import entropix
from entropix.data import ImageSet
from entropix.exceptions import FitWarning, ShiftWarning
from entropix.scoring import DEFAULT_SCORE, Calibration, detection_metrics, warn_of_shift
from entropix.scoring._residual import blur

ALPHA = 0.05
SIZES = (20, 50, 100, 200)
DRAWS = 3


def noisy(x: torch.Tensor) -> torch.Tensor:
    return x + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


SCANNERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda x: x,
    "gamma 1.5": lambda x: x**1.5,
    "contrast .8, brightness +.1": lambda x: 0.8 * x + 0.1,
    "blur": lambda x: blur(blur(blur(x))),
    "noise .05": noisy,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--latent-dim", type=int, default=16)
    parser.add_argument("--parts", type=Path, default=Path("benchmarks/results/new_site.parts"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/new_site.json"))
    options = parser.parse_args()
    warnings.simplefilter("ignore", FitWarning)
    rows = []
    for name in options.data:
        task = load(name)
        folder = options.parts / f"model-{task.name}-{options.epochs}"
        if not folder.exists():
            wanted = {"latent_dim": options.latent_dim, "epochs": options.epochs, "image_size": task.image_size}
            entropix.fit(task.train, out=folder, progress=False, **wanted)
        for scanner in SCANNERS:
            part = options.parts / f"{task.name}-{options.epochs}-{list(SCANNERS).index(scanner)}.json"
            found = once(part, lambda: measured(entropix.load(folder), task, scanner))  # noqa: B023
            rows += found
    summary = {
        scanner: {
            str(n): {
                way: {value: mean(rows, scanner, n, way, value) for value in ("fpr", "tpr", "auc")}
                for way in ("before", "thresholds", "levels")
            }
            for n in SIZES
        }
        for scanner in SCANNERS
    }
    settings = {"epochs": options.epochs, "latent_dim": options.latent_dim, "alpha": ALPHA, "draws": DRAWS}
    document = environment() | settings | {"mean_over_sets": summary, "rows": rows}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def measured(detector: entropix.EntropixDetector, task: Task, scanner: str) -> list[dict[str, Any]]:
    """One row for every n."""
    test = replace(task.test, pixels=SCANNERS[scanner](task.test.pixels).clamp(0, 1))
    normal = test.subset(test.labels == 0)
    groups = np.random.default_rng(0).permutation(np.unique(normal.groups))
    first = np.isin(normal.groups, groups[: len(groups) // 2])
    site, rest, abnormal = normal.subset(first), normal.subset(~first), test.subset(test.labels == 1)
    about = {"data": task.name, "scanner": scanner, "held_out": len(detector.calibration_), "n_test": len(rest)}
    about |= {"warned": warned(detector, rest), "warned_mixed": warned(detector, rest, abnormal)}
    before = rates(detector, rest, abnormal)
    rows = []
    for n in SIZES:
        if n > len(site):
            continue
        draws: list[dict[str, Any]] = []
        for draw in range(DRAWS):
            images = site.subset(np.sort(np.random.default_rng(draw).permutation(len(site))[:n]))
            new = detector.recalibrate(images)
            known = np.sort(detector.anomaly_score(images))
            thresholds = Calibration({DEFAULT_SCORE: torch.from_numpy(known)})
            draws.append(
                {
                    "shift": new.settings_["recalibrated"]["shift"],
                    "thresholds": rates(detector, rest, abnormal, thresholds),
                    "levels": rates(new, rest, abnormal),
                }
            )
        rows.append(about | {"n": n, "before": before, "draws": draws})
    return rows


def rates(
    detector: entropix.EntropixDetector, normal: ImageSet, abnormal: ImageSet, known: Calibration | None = None
) -> dict[str, float]:
    known = known or detector.calibration_
    scores = [detector.anomaly_score(images) for images in (normal, abnormal)]
    fpr, tpr = (float((known.p_value(values) <= ALPHA).mean()) for values in scores)
    labels = np.repeat([0, 1], [len(values) for values in scores])
    return {"fpr": fpr, "tpr": tpr, "auc": detection_metrics(labels, np.concatenate(scores))["auc"]}


def warned(detector: entropix.EntropixDetector, normal: ImageSet, abnormal: ImageSet | None = None) -> bool:
    """Whether a batch is warned of: normal images, or as many of both kinds."""
    p = detector.p_value(normal)
    groups = list(normal.groups)
    if abnormal is not None:
        n = min(len(normal), len(abnormal))
        p, groups = p[:n], groups[:n]
        p, groups = np.concatenate([p, detector.p_value(abnormal)[:n]]), groups + abnormal.groups[:n]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ShiftWarning)
        warn_of_shift(detector.calibration_, p, groups)
    return any(issubclass(one.category, ShiftWarning) for one in caught)


def mean(rows: list[dict[str, Any]], scanner: str, n: int, way: str, value: str) -> float:
    chosen = [row for row in rows if row["scanner"] == scanner and row["n"] == n]
    values = [row[way][value] if way == "before" else one[way][value] for row in chosen for one in row["draws"]]
    return float(np.mean(values))


if __name__ == "__main__":
    main()
