"""The default fit on many sets at once, its parts and scores of one line as columns.

    python benchmarks/many_tasks.py --data FOLDER TASK ... [--seeds 0 1 2] [--device auto] [--out JSON]

A set is a folder with labelled test images, or a task of `tasks.py`. Every set gets `entropix.fit` as a user calls it;
the columns are AUCs of the labelled test images. Beside the score and its terms: the paper's squared error of the same
network, that error over the image's variance, a variational autoencoder and AE-U (both of d = 16, as in the paper),
principal components and nearest neighbours of the pixels. Then lesions
are put on normal test images (as in `detection.py`), for the average precision of the heat map and of the squared error
over all pixels. A decision between variants is taken by the summary: mean, mean rank, and what it loses on the worst
set. A killed run continues where it was.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from detection import CARRIERS, SIZES
from detectors import uncertainty, vae
from pixels import pixel_metrics
from rivals.shallow import Components, neighbour_distance
from runs import Runs, environment, once, timed
from scipy.stats import rankdata
from tasks import load
from torch import Tensor

import entropix
from entropix.data import ImageSet
from entropix.datasets import KINDS, implant_lesions
from entropix.scoring import detection_metrics

COLUMNS = (
    "surprisal",
    "conditional",
    "latent",
    "squared error",
    "squared error / variance",
    "VAE",
    "AE-U",
    "PCA",
    "k-NN",
)
ALPHA = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/many_tasks.json"))
    options = parser.parse_args()
    parts = options.out.with_suffix(".parts")
    sets = []
    for name in options.data:
        runs = []
        for seed in options.seeds:
            compute = partial(one_fit, name, seed, Runs(parts, None, options.device))
            runs.append(once(parts / f"{Path(name).name}-{seed}.json", compute))
        sets.append({"data": Path(name).name, "runs": runs})
        print(json.dumps(sets[-1]))
    document = environment() | {"seeds": options.seeds, "sets": sets, "summary": summarise(sets)}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def one_fit(name: str, seed: int, runs: Runs) -> dict[str, Any]:
    task = load(name)
    detector, cost = timed(lambda: entropix.fit(task.train, seed=seed, device=runs.device, progress=False))
    test, labels, explained = task.test, task.test.labels, detector.explain(task.test)
    x, train = scaled(test), scaled(task.train)
    components = Components.of(train)
    columns = {score: explained[score] for score in ("surprisal", "conditional", "latent")} | {
        "squared error": explained["residual"],
        "squared error / variance": explained["residual"] / x.flatten(1).var(1).clamp(min=1e-4).numpy(),
        "VAE": vae(task, seed, runs).score(test),
        "AE-U": uncertainty(task, seed, runs).score(test),
        "PCA": components.squared_residual(x).reshape(len(x), -1).mean(1),
        "k-NN": neighbour_distance(train, x),
    }
    normal = labels == 0
    false = detector.p_value(test)[normal] <= ALPHA
    return {
        "auc": {column: detection_metrics(labels, np.asarray(values))["auc"] for column, values in columns.items()},
        "latent_dim": detector.latent_dim_,
        "entropy": None if detector.entropy_ is None else float(detector.entropy_),
        "false_positive_rate": float(false.mean()),
        "normal": int(normal.sum()),
        **cost,
        **lesions(detector, test.subset(np.flatnonzero(normal)[:CARRIERS])),
    }


def lesions(detector: entropix.EntropixDetector, normal: ImageSet) -> dict[str, float]:
    """Average precision over all pixels, means over kinds and sizes of lesions."""
    found: dict[str, list[float]] = {"pixel_ap": [], "pixel_ap_squared_error": []}
    for i, (kind, size) in enumerate((kind, size) for kind in KINDS for size in SIZES):
        pixels = normal.pixels.numpy().clip(0, 1)
        images, masks = implant_lesions(pixels, seed=i, kinds=(kind,), size=SIZES[size])
        squares = np.square(detector.reconstruct(images) - images).mean(1)
        found["pixel_ap"].append(pixel_metrics(masks, detector.surprise_maps(images))["pixel_ap"])
        found["pixel_ap_squared_error"].append(pixel_metrics(masks, squares)["pixel_ap"])
    return {name: float(np.mean(values)) for name, values in found.items()}


def scaled(images: ImageSet) -> Tensor:
    """(n, c, s, s) on [-1, 1]."""
    return images.scaled() * 2 - 1


def summarise(sets: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of every column: mean AUC, mean rank (1 is best), and the most that it is below the best column of a set."""
    auc = np.array([[np.mean([run["auc"][c] for run in one["runs"]]) for c in COLUMNS] for one in sets])
    ranks = rankdata(-auc, axis=1).mean(0)
    worst = (auc.max(1, keepdims=True) - auc).max(0)
    rows = zip(COLUMNS, auc.mean(0), ranks, worst, strict=True)
    return {c: {"mean": float(m), "mean_rank": float(r), "worst_loss": float(w)} for c, m, r, w in rows}


if __name__ == "__main__":
    main()
