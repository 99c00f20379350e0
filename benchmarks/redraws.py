"""False positives where training and test normals are exchangeable by design: the normal images of both are redrawn.

    python benchmarks/redraws.py --data FOLDER ... [--draws 20] [--epochs 25] [--device auto] [--out JSON]

A set's own split may have normal test images of other machines, patients or days than its training images, for which
no p-value promises anything. Here the normal images of both are pooled, and whole patients drawn at random for the
fit, as many images as the set has for it. The share of p-values up to .05 among the others is compared with what a
beta-binomial distribution allows, as a fit's held-out images are few too (Vovk 2012); it takes images for independent,
so that it is too narrow where patients have many. Fits are short and of d = 8: the promise is the same however well an
autoencoder has learnt. A killed run continues where it was.
"""

import argparse
import json
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from many_tasks import ALPHA
from runs import arguments, environment, once
from scipy.stats import betabinom
from tasks import Task, load

import entropix
from entropix.data import ImageSet


def main() -> None:
    parser = arguments(__doc__, "redraws.json")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=25)
    options = parser.parse_args()
    parts, sets = options.out.with_suffix(".parts"), []
    for name in options.data:
        task = load(name)
        compute = [partial(one_draw, task, draw, options) for draw in range(options.draws)]
        runs = [once(parts / f"{task.name}-{draw}.json", one) for draw, one in enumerate(compute)]
        sets.append({"data": task.name, "runs": runs, "mean": float(np.mean([run["rate"] for run in runs]))})
        print(json.dumps(sets[-1]), flush=True)
    options.out.write_text(json.dumps(environment() | {"alpha": ALPHA, "sets": sets}, indent=1) + "\n")


def one_draw(task: Task, draw: int, options: argparse.Namespace) -> dict[str, Any]:
    """The rate of false positives of one draw, and the interval that holds it in 95 % of draws."""
    normal = joined(task.train, task.test.subset(task.test.labels == 0))
    groups = np.asarray(normal.groups)
    order = np.random.default_rng(draw).permutation(np.unique(groups))
    sizes = np.cumsum([(groups == group).sum() for group in order])
    chosen = np.isin(groups, order[: int(np.searchsorted(sizes, len(task.train))) + 1])
    train, rest = (normal.subset(which) for which in (chosen, ~chosen))
    detector = entropix.fit(
        train, latent_dim=8, epochs=options.epochs, seed=draw, device=options.device, progress=False
    )
    held_out = len(detector.calibration_)
    ranks = int(ALPHA * (held_out + 1))  # of a normal image that is called anomalous
    usual = betabinom(len(rest), ranks, held_out + 1 - ranks)
    return {
        "rate": float((detector.p_value(rest) <= ALPHA).mean()),
        "expected": float(usual.mean() / len(rest)),
        "interval": [float(usual.ppf(q) / len(rest)) for q in (0.025, 0.975)],
        "train": len(train),
        "rest": len(rest),
        "held_out": held_out,
    }


def joined(a: ImageSet, b: ImageSet) -> ImageSet:
    lists = {name: getattr(a, name) + getattr(b, name) for name in ("names", "origins")}
    # an image that stands for itself, such as number 3 of an array, is another one than its namesake
    lists["groups"] = [
        f"{part} {group}" if group == name else group
        for part, of in (("train", a), ("test", b))
        for group, name in zip(of.groups, of.names, strict=True)
    ]
    arrays = {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in ("labels", "sizes")}
    return replace(a, pixels=torch.cat([a.pixels, b.pixels]), **lists, **arrays)


if __name__ == "__main__":
    main()
