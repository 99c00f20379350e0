"""How the chosen d varies: between seeds, and with half of the images; writes results/stability.json.

    python benchmarks/stability.py --data FOLDER TASK ... [--seeds 0 1] [--parts FOLDER] [--out JSON]

Data as for `auto_vs_fixed.py`, whose fits are reused where `--parts` names its folder of parts. A seed decides the
held-out images, the initial weights and the order of the images; the half is a random half of the groups (patients or
volumes where known). Every fit makes 250,000 / n passes over the training images of its n.
A killed run continues where it was.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from runs import Runs, environment
from tasks import Task, load

from entropix.strategies import STRATEGIES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--strategy", choices=list(STRATEGIES), default="select")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--parts", type=Path, default=Path("benchmarks/results/auto_vs_fixed.parts"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/stability.json"))
    options = parser.parse_args()
    runs = Runs(options.parts, None, options.device)
    sets = []
    for name in options.data:
        task = load(name)
        dims = [runs.automatic(task, options.strategy, seed)["latent_dim"] for seed in options.seeds]
        of_half = runs.automatic(half(task), options.strategy, options.seeds[0])["latent_dim"]
        row = {"data": task.name, "seeds": dims, "between_seeds": max(dims) / min(dims)}
        row |= {"half": of_half, "to_half": max(of_half, dims[0]) / min(of_half, dims[0])}
        print(json.dumps(row))
        sets.append(row)
    document = environment() | {"strategy": options.strategy, "seeds": options.seeds, "sets": sets}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def half(task: Task) -> Task:
    """The task with a random half of its groups of training images."""
    groups = np.unique(task.train.groups)
    kept = np.random.default_rng(0).permutation(groups)[: len(groups) // 2]
    return replace(task, name=f"{task.name}-half", train=task.train.subset(np.isin(task.train.groups, kept)))


if __name__ == "__main__":
    main()
