"""How many test images are near copies of images of the fit, and what AUCs are without them.

    python benchmarks/copies.py --data FOLDER TASK ... [--seed 0] [--device auto] [--out JSON]

Copies are found by what a fit keeps in mind of its images (`entropix.training`), which takes no training. A set
where they are at least a hundredth gets the fit of `many_tasks.py`. A killed run continues where it was.
"""

import json
from functools import partial

from detectors import scaled
from many_tasks import one_fit
from runs import Runs, arguments, environment, once
from tasks import Task, load

from entropix.training import Fingerprints

COLUMNS = ("surprisal", "squared error")
SHARE = 0.01  # of the test images; fewer copies can't move an AUC by much, and are counted only


def main() -> None:
    parser = arguments(__doc__, "copies.json")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts = options.out.with_suffix(".parts")
    runs, sets = Runs(parts, None, options.device), []
    for name in options.data:
        task = load(name)
        sets.append({"data": task.name, "test": len(task.test), "copies": copies(task, options.seed, runs)})
        if sets[-1]["copies"] >= SHARE * len(task.test):
            run = once(parts / f"{task.name}-{options.seed}.json", partial(one_fit, name, options.seed, runs))
            for when in ("auc", "auc_without_copies"):
                sets[-1][when] = {column: run[when][column] for column in COLUMNS}
        print(json.dumps(sets[-1]), flush=True)
    options.out.write_text(json.dumps(environment() | {"seed": options.seed, "sets": sets}, indent=1) + "\n")


def copies(task: Task, seed: int, runs: Runs) -> int:
    """The number of test images that are near copies of training or held-out ones."""
    data = runs.prepare(task, seed)
    return int(Fingerprints.fit(data.held_out, data.distinct).copies(scaled(task.test)).sum())


if __name__ == "__main__":
    main()
