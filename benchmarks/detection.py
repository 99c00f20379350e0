"""Detection by the default fit beside other detectors: whole images, and where simulated lesions are.

    python benchmarks/detection.py --data FOLDER TASK ... [--epochs 250] [--seeds 0] [--parts FOLDER] [--out JSON]

Data as for `auto_vs_fixed.py`, whose trainings are reused where `--parts` names its folder of parts. Every detector
sees the same training images. Image AUC and AP are those of the labelled test images. Then lesions of every kind and
size are put on normal test images (`entropix.datasets.implant_lesions`, fixed seeds), and where a detector has a map,
its average precision over all pixels and its best Dice (over all thresholds, the best one by the masks) are reported,
and the AUC of telling images with a lesion from the same ones without. A killed run continues where it was.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectors import METHODS, Detector
from pixels import pixel_metrics
from runs import Runs, environment
from tasks import Task, load

from entropix.datasets import KINDS, implant_lesions
from entropix.scoring import detection_metrics

CARRIERS = 200  # normal test images that lesions are put on
SIZES = {"small": (0.04, 0.08), "large": (0.1, 0.2)}  # radius as a share of the image's width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--epochs", type=int, help="default: 100,000 / number of images, 25 to 600")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--parts", type=Path, default=Path("benchmarks/results/auto_vs_fixed.parts"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/detection.json"))
    options = parser.parse_args()
    runs = Runs(options.parts, options.epochs, options.device)
    sets = []
    for name in options.data:
        task = load(name)
        methods = {method: [] for method in METHODS}
        for seed in options.seeds:
            for method, make in METHODS.items():
                methods[method].append(one_method(task, seed, runs, method, make))
        rows = [{"method": method} | summarise(by_seed) for method, by_seed in methods.items()]
        for row in rows:
            print(json.dumps({"data": task.name} | row))
        sets.append({"data": task.name, "epochs": runs.epochs_of(task), "methods": rows, "runs": methods})
    lesions = {"kinds": KINDS, "sizes": SIZES, "carriers": CARRIERS}
    document = environment() | {"seeds": options.seeds, "lesions": lesions, "sets": sets}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def one_method(
    task: Task, seed: int, runs: Runs, method: str, make: Callable[[Task, int, Runs], Detector]
) -> dict[str, Any]:
    """AUC and AP on the labelled test images, and what becomes of simulated lesions; computed once."""

    def compute() -> dict[str, Any]:
        detector = make(task, seed, runs)
        normal = task.test.subset(np.flatnonzero(task.test.labels == 0)[:CARRIERS])
        # maps are compared at the resolution of the detectors, not of the files
        normal = replace(normal, sizes=np.full_like(normal.sizes, task.image_size))
        without = detector.score(normal)
        lesions = {}
        for i, (kind, size) in enumerate((kind, size) for kind in KINDS for size in SIZES):
            # no set has raw values: real ones are 8-bit, made ones on [0, 1]
            images, masks = implant_lesions(normal.pixels.numpy(), seed=i, kinds=(kind,), size=SIZES[size])
            sick = replace(normal, pixels=torch.from_numpy(images))
            labels = np.repeat([0, 1], len(normal))
            found = {"auc": detection_metrics(labels, np.concatenate([without, detector.score(sick)]))["auc"]}
            if detector.maps is not None:
                found |= pixel_metrics(masks, detector.maps(sick))
            lesions[f"{kind}, {size}"] = found
        return detection_metrics(task.test.labels, detector.score(task.test)) | {"lesions": lesions}

    return runs.once(task, seed, f"detection-{method}", compute)


def summarise(by_seed: list[dict[str, Any]]) -> dict[str, float]:
    """Means over seeds, and over lesions."""
    row = {name: float(np.mean([run[name] for run in by_seed])) for name in ("auc", "ap")}
    for name in ("auc", "pixel_ap", "dice"):
        values = [found[name] for run in by_seed for found in run["lesions"].values() if name in found]
        if values:
            row[f"lesion_{name}" if name == "auc" else name] = float(np.mean(values))
    return row


if __name__ == "__main__":
    main()
