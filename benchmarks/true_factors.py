"""The chosen d on simulated images whose number of factors is known; writes results/true_factors.json.

    python benchmarks/true_factors.py [--factors 2 4 8 16] [--seeds 10] [--strategies select ...] [--out JSON]

A code of a nested autoencoder is nonlinear and needs at least one latent per factor; a factor that moves things far may
take two. The choice is right if it lies in [m, 2 m]. Finished fits are kept in JSON.parts/.
"""

import argparse
import json
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from runs import environment, once, timed

import entropix
from entropix.strategies import STRATEGIES

IMAGES, SIZE, EPOCHS = 600, 32, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", nargs="+", type=int, default=[2, 4, 8, 16])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, of the images and the fit")
    parser.add_argument("--strategies", nargs="+", choices=list(STRATEGIES), default=["select"])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/true_factors.json"))
    options = parser.parse_args()
    parts = options.out.with_suffix(".parts")
    cells = []
    for strategy in options.strategies:
        for m in options.factors:
            chosen = [
                once(parts / f"{strategy}-{m}-{seed}.json", partial(fit, strategy, m, seed))
                for seed in range(options.seeds)
            ]
            dims = [fit["latent_dim"] for fit in chosen]
            right = sum(m <= d <= 2 * m for d in dims)
            cells.append({"strategy": strategy, "factors": m, "right": right, "seeds": options.seeds, "fits": chosen})
            print(f"{strategy}, {m} factors: {right} of {len(dims)} in [{m}, {2 * m}]; d = {dims}", file=sys.stderr)
    document = {
        **environment(),
        "images": IMAGES,
        "image_size": SIZE,
        "epochs": EPOCHS,
        "cells": cells,
    }
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def fit(strategy: str, m: int, seed: int) -> dict[str, Any]:
    images = entropix.datasets.phantoms(IMAGES, factors=m, image_size=SIZE, seed=seed).images
    options = {"strategy": strategy, "image_size": SIZE, "epochs": EPOCHS, "seed": seed, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector, cost = timed(lambda: entropix.fit(images, **options))
    curve = [{name: round(value, 5) for name, value in point.items()} for point in detector.curve_]
    dimension = detector.entropy_.dimension
    seconds = round(cost["seconds"], 1)
    return {"latent_dim": detector.latent_dim_, "intrinsic_dimension": dimension, "seconds": seconds, "curve": curve}


if __name__ == "__main__":
    main()
