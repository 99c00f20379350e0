"""The default fit on many sets at once, its parts and scores of one line as columns.

    python benchmarks/many_tasks.py --data FOLDER TASK ... [--seeds 0 1 2] [--device auto] [--out JSON]

A set is a folder with labelled test images, or a task of `tasks.py`. Every set gets `entropix.fit` as a user calls it;
the columns are AUCs of the labelled test images. Beside the score and its terms: the paper's squared error of the same
network, that error over the image's variance, a variational autoencoder and AE-U (both of d = 16, as in the paper),
principal components and nearest neighbours of the pixels. Then lesions
are put on normal test images, for the average precision of the heat map and of the squared error
over all pixels. A decision between variants is taken by the summary: mean, mean rank, and what it loses on the worst
set. Test images that are near copies of training ones are counted, and AUCs are given without them too. A killed run
continues where it was.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from detectors import scaled, uncertainty, vae
from pixels import lesioned, pixel_metrics
from rivals.shallow import Components, neighbour_distance
from runs import Runs, arguments, environment, once, timed
from scipy.stats import friedmanchisquare, rankdata, studentized_range
from tasks import load

import entropix
from entropix.data import ImageSet
from entropix.detector import separation

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
NOT_COUNTED = ("BrainDistinct",)  # its abnormal images come from other scanners than its normal ones: reported only


def main() -> None:
    parser = arguments(__doc__, "many_tasks.json")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    parts = options.out.with_suffix(".parts")
    sets = []
    for name in options.data:
        runs = []
        for seed in options.seeds:
            compute = partial(one_fit, name, seed, Runs(parts, None, options.device))
            runs.append({"seed": seed} | once(parts / f"{Path(name).name}-{seed}.json", compute))
        sets.append({"data": Path(name).name, "counted": Path(name).name not in NOT_COUNTED, "runs": runs})
        print(json.dumps(sets[-1]))
    summary = summarise([one for one in sets if one["counted"]])
    document = environment() | {"seeds": options.seeds, "sets": sets, "summary": summary}
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
        "VAE": vae(task, seed, runs),
        "AE-U": uncertainty(task, seed, runs),
        "PCA": components.squared_residual(x).reshape(len(x), -1).mean(1),
        "k-NN": neighbour_distance(train, x),
    }
    normal = labels == 0
    false = detector.p_value(test)[normal] <= ALPHA
    separated = separation(detector, test, labels, {name: np.asarray(values) for name, values in columns.items()})
    return {
        "auc": {column: metrics["auc"] for column, metrics in separated.metrics.items()},
        "copies": separated.copies,
        "auc_without_copies": {column: metrics["auc"] for column, metrics in separated.without_copies.items()},
        "latent_dim": detector.latent_dim_,
        "entropy": None if detector.entropy_ is None else float(detector.entropy_),
        "false_positive_rate": float(false.mean()),
        "normal": int(normal.sum()),
        "device": str(detector.device_),
        **cost,
        **lesions(detector, test),
    }


def lesions(detector: entropix.EntropixDetector, test: ImageSet) -> dict[str, float]:
    """Average precision over all pixels, means over kinds and sizes of lesions."""
    found: dict[str, list[float]] = {"pixel_ap": [], "pixel_ap_squared_error": []}
    for images, masks in lesioned(test):
        squares = np.square(detector.reconstruct(images) - images).mean(1)
        found["pixel_ap"].append(pixel_metrics(masks, detector.surprise_maps(images))["pixel_ap"])
        found["pixel_ap_squared_error"].append(pixel_metrics(masks, squares)["pixel_ap"])
    return {name: float(np.mean(values)) for name, values in found.items()}


def summarise(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """Of every column: mean AUC, mean rank (1 is best), and the most that it is below the best column of a set.

    Two columns whose mean ranks are closer than `critical_difference` are not told apart at the level .05 (Nemenyi's
    test; Demsar, JMLR 2006, section 3.2.2); `friedman_p` is for the hypothesis that all columns are alike.
    """
    auc = np.array([[np.mean([run["auc"][c] for run in one["runs"]]) for c in COLUMNS] for one in sets])
    n, k = auc.shape
    ranks = rankdata(-auc, axis=1).mean(0)
    worst = (auc.max(1, keepdims=True) - auc).max(0)
    rows = zip(COLUMNS, auc.mean(0), ranks, worst, strict=True)
    return {
        "columns": {c: {"mean": float(m), "mean_rank": float(r), "worst_loss": float(w)} for c, m, r, w in rows},
        "critical_difference": float(studentized_range.ppf(0.95, k, np.inf) / 2**0.5 * (k * (k + 1) / (6 * n)) ** 0.5),
        "friedman_p": float(friedmanchisquare(*auc.T).pvalue) if n > 2 else None,
    }


if __name__ == "__main__":
    main()
