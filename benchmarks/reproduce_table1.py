"""Table 1 of the paper (Cai, Chen and Cheng, MICCAI 2024) on the data sets that are here, ours beside the paper's.

    python benchmarks/reproduce_table1.py ROOT [--seeds 0 1 2] [--epochs N] [--device cuda] [--out JSON]

ROOT holds folders of the sets, any of them: RSNA, VinCXR (or VinDr-CXR), BrainTumor, BraTS2021, as the MedIAnomaly
package has them or `entropix prepare` writes them. The paper's autoencoder is trained once per d and seed with its
recipe, 250 epochs (600 on Brain Tumor) unless told otherwise, and scored by the mean squared error; AUC and AP in
percent, mean and standard deviation over the seeds; on BraTS2021 also AP and best Dice over the pixels of all test
images, by the squared error of each. Not the paper's: a fifth of the training images is held out. Each finished
training is kept in JSON's folder of `.parts`, so a killed run continues where it was.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from pixels import pixel_metrics, read_masks
from runs import Runs, environment
from tasks import Task, load

DIMS = (128, 64, 32, 16, 8, 4, 2, 1)
PAPER_SIZE = 64  # pixels squared
METRICS = ("auc", "ap", "pixel_ap", "dice")
HEADINGS = ("AUC", "AP", "pixel AP", "Dice")
# Names of the folders, the paper's epochs, and its metrics, as many as it has, for every d of `DIMS`.
SETS: dict[str, tuple[Any, ...]] = {
    "RSNA": (
        ("RSNA", "rsna"),
        250,
        (60.5, 60.7, 62.8, 67.5, 69.4, 72.9, 67.5, 66.5),
        (60.3, 60.7, 62.5, 66.7, 68.3, 70.3, 65.4, 63.6),
    ),
    "VinDr-CXR": (
        ("VinCXR", "VinDr-CXR", "vindr-cxr"),
        250,
        (48.6, 49.0, 52.5, 56.4, 57.4, 61.3, 60.5, 59.4),
        (51.9, 52.0, 55.6, 60.2, 61.7, 64.1, 59.7, 58.6),
    ),
    "Brain Tumor": (
        ("BrainTumor", "brain-tumor"),
        600,
        (86.5, 86.8, 87.1, 85.9, 84.1, 70.8, 47.3, 36.6),
        (76.9, 77.2, 77.8, 76.9, 75.5, 64.1, 48.3, 42.4),
    ),
    "BraTS2021": (
        ("BraTS2021", "brats2021"),
        250,
        (80.5, 81.3, 82.1, 82.6, 81.0, 79.4, 77.2, 72.8),
        (90.5, 91.0, 91.6, 92.0, 90.9, 89.6, 87.5, 84.5),
        (25.6, 20.8, 25.2, 33.2, 36.1, 33.4, 30.0, 35.9),
        (32.7, 28.8, 32.7, 39.2, 42.3, 40.0, 38.0, 40.8),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--dims", nargs="+", type=int, default=list(DIMS), choices=DIMS, metavar="D")
    parser.add_argument("--epochs", type=int, help="default: the paper's")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/table1.json"))
    options = parser.parse_args()
    found = present(options.root)
    if not found:
        names = ", ".join(name for names, *_ in SETS.values() for name in names)
        raise SystemExit(f"{options.root}: none of the folders {names} is here")
    sets = []
    for name, folder in found.items():
        runs = Runs(options.out.with_suffix(".parts"), options.epochs or SETS[name][1], options.device)
        sets.append(reproduce(name, load(str(folder), PAPER_SIZE), options.dims, options.seeds, runs, folder))
        print(table(sets[-1]), flush=True)
    options.out.write_text(json.dumps(environment() | {"seeds": options.seeds, "sets": sets}, indent=1) + "\n")


def present(root: Path) -> dict[str, Path]:
    """The sets of the paper that are below `root`, by name."""
    folders = {name: [root / one for one in names if (root / one).is_dir()] for name, (names, *_) in SETS.items()}
    return {name: paths[0] for name, paths in folders.items() if paths}


def reproduce(name: str, task: Task, dims: list[int], seeds: list[int], runs: Runs, folder: Path) -> dict[str, Any]:
    """The metrics in percent for every d: mean and standard deviation over the seeds, and the paper's."""
    rows = []
    for d, *trainings in zip(dims, *(runs.sweep(task, dims, seed) for seed in seeds), strict=True):
        if len(SETS[name]) > 4:
            trainings = [t | of_pixels(task, d, seed, runs, folder) for t, seed in zip(trainings, seeds, strict=True)]
        row: dict[str, Any] = {"latent_dim": d}
        for metric, published in zip(METRICS, SETS[name][2:], strict=False):
            values = 100 * np.array([training[metric] for training in trainings])
            row[metric], row[f"{metric}_sd"] = float(values.mean()), float(values.std(ddof=min(len(values) - 1, 1)))
            row[f"{metric}_paper"] = published[DIMS.index(d)]
        rows.append(row)
    labels = task.test.labels
    sizes = {"train": len(task.train), "test_normal": int((labels == 0).sum()), "test_abnormal": int(labels.sum())}
    return {"data": name, "epochs": runs.epochs_of(task), **sizes, "rows": rows}


def of_pixels(task: Task, d: int, seed: int, runs: Runs, folder: Path) -> dict[str, float]:
    """AP and best Dice of the squared errors of all pixels of the test images, at the resolution of the model."""

    def compute() -> dict[str, float]:
        x = task.test.scaled(task.train.value_range()).numpy()
        error = ((x - runs.detector(task, d, seed).reconstruct(task.test)) ** 2).mean(1)
        return pixel_metrics(read_masks(folder, task.test), error)

    return runs.once(task, seed, f"{d}-pixels", compute)


def table(one: dict[str, Any]) -> str:
    """A set as a Markdown table."""
    sizes = f"{one['train']:,} / {one['test_normal']:,} + {one['test_abnormal']:,} images, {one['epochs']} epochs"
    there = [(m, heading) for m, heading in zip(METRICS, HEADINGS, strict=True) if m in one["rows"][0]]
    heads = " | ".join(f"{heading} | paper" for _, heading in there)
    lines = [f"\n{one['data']} ({sizes})", "", f"| d | {heads} |", "|---" * (1 + 2 * len(there)) + "|"]
    for row in one["rows"]:
        cells = [f"{row[m]:.1f} +- {row[f'{m}_sd']:.1f} | {row[f'{m}_paper']:.1f}" for m, _ in there]
        lines.append(f"| {row['latent_dim']} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
