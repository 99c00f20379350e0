"""What p-values promise on another scanner, before and after a recalibration; writes results/new_site.json.

    python benchmarks/new_site.py --data FOLDER ... [--epochs 20] [--parts FOLDER] [--out JSON]

A detector is fitted to the normal training images of each set. The other scanner is made up: gamma, brightness and
contrast, blur or noise change all test images, at the model's resolution. Half of the normal test images, by patient
where known, are what the site has: n of them at random recalibrate the detector. The other half gives the
false-positive rate at alpha = .05, the abnormal images the true-positive rate and the AUC. Compared are

    before      the detector as it was fitted
    thresholds  the scores of the n images in place of the held-out ones, the score as it was
    levels      `detector.recalibrate`: the residual's levels and the unit of the latent term are learnt anew, too

Which of the two ways a recalibration goes is decided without labels, by "power" and "detected": foreign content is put
into the other half, normal images that neither way has seen (`_implants`), and told from them, as an
AUC and as the share that is found at alpha.

"warned" says whether `entropix score` warns of the other half, normal images alone, and of these and as many abnormal
images together.
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
from entropix.exceptions import FitWarning, ShiftWarning
from entropix.scoring import DEFAULT_SCORE, Calibration, detection_metrics, warn_of_shift
from entropix.scoring._implants import implant
from entropix.scoring._residual import blur

ALPHA = 0.05
SIZES = (50, 200)
MOST_ABNORMAL = 300


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
                way: {value: mean(rows, scanner, n, way, value) for value in ("fpr", "tpr", "auc", "detected", "power")}
                for way in ("before", "thresholds", "levels")
            }
            for n in SIZES
        }
        for scanner in SCANNERS
    }
    settings = {"epochs": options.epochs, "latent_dim": options.latent_dim, "alpha": ALPHA}
    document = environment() | settings | {"mean_over_sets": summary, "rows": rows}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def measured(detector: entropix.EntropixDetector, task: Task, scanner: str) -> list[dict[str, Any]]:
    """One row for every n."""
    test = replace(task.test, pixels=SCANNERS[scanner](task.test.pixels).clamp(0, 1))
    normal = test.subset(test.labels == 0)
    groups = np.random.default_rng(0).permutation(np.unique(normal.groups))
    first = np.isin(normal.groups, groups[: len(groups) // 2])
    site, rest, abnormal = normal.subset(first), normal.subset(~first), test.subset(test.labels == 1)
    abnormal = abnormal.subset(np.arange(min(MOST_ABNORMAL, len(abnormal))))
    about = {"data": task.name, "scanner": scanner, "held_out": len(detector.calibration_), "n_test": len(rest)}
    foreign = implant(2 * rest.pixels - 1, torch.Generator().manual_seed(0)).images
    sets = (rest, abnormal, replace(rest, pixels=(foreign / 2 + 0.5).clamp(0, 1)))
    scores = [detector.anomaly_score(images) for images in sets]
    p = [detector.calibration_.p_value(values) for values in scores]
    about |= {"warned": warned(detector, p[0], rest.groups)}
    n_both = min(map(len, p))
    both = np.concatenate([values[:n_both] for values in p])
    about |= {"warned_mixed": warned(detector, both, rest.groups[:n_both] + abnormal.groups[:n_both])}
    before = rates(detector.calibration_, *scores)
    rows = []
    for n in SIZES:
        if n > len(site):
            continue
        images = site.subset(np.random.default_rng(0).permutation(len(site))[:n])
        new = detector.recalibrate(images)
        thresholds = Calibration({DEFAULT_SCORE: torch.from_numpy(np.sort(detector.anomaly_score(images)))})
        row = {"n": n, "shift": new.settings_["recalibrated"]["shift"], "before": before}
        row["thresholds"] = rates(thresholds, *scores)
        row["levels"] = rates(new.calibration_, *(new.anomaly_score(images) for images in sets))
        rows.append(about | row)
    return rows


def rates(known: Calibration, normal: np.ndarray, abnormal: np.ndarray, foreign: np.ndarray) -> dict[str, float]:
    """Rates at alpha, and AUCs, from the scores of normal images, abnormal ones, and normal ones with implants."""
    fpr, tpr, detected = (float((known.p_value(scores) <= ALPHA).mean()) for scores in (normal, abnormal, foreign))
    auc, power = (
        detection_metrics(np.repeat([0, 1], [len(normal), len(scores)]), np.concatenate([normal, scores]))["auc"]
        for scores in (abnormal, foreign)
    )
    return {"fpr": fpr, "tpr": tpr, "auc": auc, "detected": detected, "power": power}


def warned(detector: entropix.EntropixDetector, p: np.ndarray, groups: list[str]) -> bool:
    """Whether a batch of p-values is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ShiftWarning)
        warn_of_shift(detector.calibration_, p, groups)
    return any(issubclass(one.category, ShiftWarning) for one in caught)


def mean(rows: list[dict[str, Any]], scanner: str, n: int, way: str, value: str) -> float:
    chosen = [row for row in rows if row["scanner"] == scanner and row["n"] == n]
    return float(np.mean([row[way][value] for row in chosen]))


if __name__ == "__main__":
    main()
