"""What a training gains by showing more images: held-out error, entropy and visibility, by which it might stop.

    python benchmarks/images_shown.py --data FOLDER TASK ... [--shown 12500 25000 50000 100000] [--out JSON]

The learning rate falls to zero at the end of a training, so every number of images shown is a training of its own (the
nested autoencoder of `entropix.fit`). Everything is measured on normal images, but for the AUC of the squared error,
which is for reporting. A killed run continues where it was.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

from detectors import scaled
from runs import Runs, arguments, environment, once, timed
from tasks import load

from entropix._utils import in_batches, seeded
from entropix.models import Autoencoder
from entropix.ops import reconstruction_error
from entropix.scoring import detection_metrics
from entropix.selection import Curve
from entropix.strategies import CANDIDATES
from entropix.training import NestedError, train

SHOWN = (12_500, 25_000, 50_000, 100_000)
LATENT_DIM = 16


def main() -> None:
    parser = arguments(__doc__, "images_shown.json")
    parser.add_argument("--shown", nargs="+", type=int, default=SHOWN)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts, runs = options.out.with_suffix(".parts"), Runs(options.out.with_suffix(".parts"), None, options.device)
    rows = []
    for shown in options.shown:
        for name in options.data:
            compute = partial(one_training, name, shown, options.seed, runs)
            rows.append(once(parts / f"{Path(name).name}-{shown}-{options.seed}.json", compute))
            print(json.dumps(rows[-1]))
    document = environment() | {"seed": options.seed, "latent_dim": LATENT_DIM, "trainings": rows}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


def one_training(name: str, shown: int, seed: int, runs: Runs) -> dict[str, Any]:
    task = load(name)
    data = runs.prepare(task, seed)
    epochs = max(1, round(shown / len(data.train)))
    with seeded(seed):
        model = Autoencoder(CANDIDATES[-1], data.channels, data.image_size).to(data.train.device)
    objective = NestedError(model, CANDIDATES)
    losses, cost = timed(lambda: train(model, data.train, objective, epochs=epochs, seed=seed, one_cycle=True))
    curve = Curve(data.distinct, data.held_out, seed, data.distinct_groups)
    short, whole = curve.measure(model, (LATENT_DIM, CANDIDATES[-1]))
    cut = model.truncate(LATENT_DIM)
    x = scaled(task.test).to(data.train.device)
    squares = reconstruction_error(x, in_batches(cut, x)).cpu().numpy()
    return {
        "data": task.name,
        "shown": shown,
        "epochs": epochs,
        "loss": losses[-1],
        "points": [short.to_dict(), whole.to_dict()],
        "entropy_images": float(curve.entropy.value),
        "auc_squared_error": detection_metrics(task.test.labels, squares)["auc"],
        **cost,
    }


if __name__ == "__main__":
    main()
