"""The automatic d and the default score beside the paper's sweep over fixed d, which sees the labels.

    python benchmarks/auto_vs_fixed.py --data FOLDER [FOLDER ...] [--epochs 250] [--seeds 0 1 2] [--out JSON]

Every folder needs labelled test images (`data.json`, or test/good and test/<defect>). For each one: the d that
`entropix.fit` chooses, AUC and AP of its two scores, the sweep's table with the paper's score, the regret (the sweep's
best AUC, by labels, minus ours at the chosen d with the paper's score), and the cost of the fit in fixed-d trainings.
Each finished training is kept in JSON.parts/, so a killed run continues where it was.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import entropix
from entropix.data import ImageSet, read
from entropix.metrics import detection_metrics

DIMS = (1, 2, 4, 8, 16, 32, 64, 128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=250)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/auto_vs_fixed.json"))
    options = parser.parse_args()
    parts = options.out.with_suffix(".parts")
    parts.mkdir(parents=True, exist_ok=True)
    sets = []
    for folder in options.data:
        train, test = read(folder, split="train"), read(folder, split="test")
        runs = [one_seed(folder.name, train, test, seed, options, parts) for seed in options.seeds]
        sets.append({"data": folder.name, "n_train": len(train), "n_test": len(test)} | summarise(runs))
        print(json.dumps(sets[-1]["summary"], indent=1))
    document = {
        "command": shlex.join(["python", "benchmarks/auto_vs_fixed.py", *sys.argv[1:]]),
        "epochs": options.epochs,
        "seeds": options.seeds,
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": {"entropix": entropix.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "sets": sets,
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def one_seed(
    name: str, train: ImageSet, test: ImageSet, seed: int, options: argparse.Namespace, parts: Path
) -> dict[str, Any]:
    """The automatic fit and every fixed d, each computed once."""
    settings: dict[str, Any] = {"epochs": options.epochs, "device": options.device, "progress": False}

    def automatic() -> dict[str, Any]:
        started = time.perf_counter()
        detector = entropix.fit(train, seed=seed, **settings)
        seconds = time.perf_counter() - started
        terms = detector.explain(test)
        scores = {score: detection_metrics(test.labels, terms[score]) for score in ("surprisal", "residual")}
        chosen = {"latent_dim": detector.latent_dim_, "reason": detector.reason_, "curve": detector.curve_}
        return chosen | {"entropy": detector.entropy_.to_dict(), "seconds": seconds, **scores}

    def fixed(d: int) -> dict[str, Any]:
        started = time.perf_counter()
        result = entropix.sweep(train, test, dims=(d,), seeds=(seed,), **settings)
        seconds = time.perf_counter() - started
        surprisal = detection_metrics(test.labels, result.detector(d, seed).anomaly_score(test))
        return result.table()[0] | {"seconds": seconds, "surprisal": surprisal}

    stem = f"{name}-{options.epochs}-{seed}"
    auto = once(parts / f"{stem}-auto.json", automatic)
    return {"seed": seed, "auto": auto, "fixed": [once(parts / f"{stem}-{d}.json", lambda d=d: fixed(d)) for d in DIMS]}


def once(path: Path, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result at `path`, computed and written if it is not there yet."""
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(compute()))
        partial.replace(path)
        print(f"done: {path.stem}", file=sys.stderr)
    return json.loads(path.read_text())


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds; the oracle picks the d with the best mean AUC, by labels."""
    aucs = np.array([[row["auc"] for row in run["fixed"]] for run in runs])  # (seeds, dims)
    auto = [run["auto"] for run in runs]
    best = int(aucs.mean(0).argmax())
    residual = np.array([a["residual"]["auc"] for a in auto])
    summary = {
        "chosen_d": [a["latent_dim"] for a in auto],
        "auc_surprisal": float(np.mean([a["surprisal"]["auc"] for a in auto])),
        "ap_surprisal": float(np.mean([a["surprisal"]["ap"] for a in auto])),
        "auc_residual": float(residual.mean()),
        "oracle_d": DIMS[best],
        "oracle_auc": float(aucs.mean(0)[best]),
        "fixed_auc": dict(zip(map(str, DIMS), aucs.mean(0).tolist(), strict=True)),
        "regret": float(aucs.mean(0)[best] - residual.mean()),
        "cost": float(
            np.mean([a["seconds"] for a in auto]) / np.mean([[f["seconds"] for f in run["fixed"]] for run in runs])
        ),
    }
    return {"summary": summary, "runs": runs}


if __name__ == "__main__":
    main()
