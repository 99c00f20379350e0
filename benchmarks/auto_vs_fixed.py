"""The automatic d and the default score beside the paper's sweep over fixed d, which sees the labels, and rivals.

    python benchmarks/auto_vs_fixed.py --data FOLDER TASK ... [--epochs 250] [--methods select ...] [--out JSON]

Data are folders with labelled test images (`data.json`, or test/good and test/<defect>) and the tasks of `tasks.py`.
Every method chooses d, most without labels. The automatic fits are judged by their own networks, the other methods by
the sweep's network of their d (of the candidate nearest in ratio; TwoNN's is rounded up). Reported are AUC and AP of
the paper's score and of the default one; the regret, which is the sweep's best AUC by labels minus that of the
method, paper's score for both; and over all sets the regret beyond that of the constant d that has least.
Each finished training is kept in JSON's folder of `.parts`, so a killed run continues where it was; beside the JSON
comes a figure. The sweep, its elbow and the fixed d always run; `--methods` limits the others.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from figures import auc_against_d
from rivals import irmae, least_volume
from rivals.dimension import at_least, elbow, nearest, pca_dimension, twonn_dimension
from runs import Runs, arguments, environment, timed
from tasks import Task, load

from entropix.strategies import STRATEGIES
from entropix.training import TrainingData

DIMS = (1, 2, 4, 8, 16, 32, 64, 128)
FIXED = (4, 8, 16, 32)
RESAMPLES = 10_000
SCORES = ("residual", "surprisal")


def main() -> None:
    parser = arguments(__doc__, "auto_vs_fixed.json")
    parser.add_argument("--epochs", type=int, help="default: 100,000 / number of images, 25 to 600")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--methods", nargs="+", choices=[*STRATEGIES, *RIVALS], default=[*STRATEGIES, *RIVALS])
    options = parser.parse_args()
    runs = Runs(options.out.with_suffix(".parts"), options.epochs, options.device)
    sets = []
    for name in options.data:
        task = load(name)
        by_seed = [one_seed(task, seed, runs, options.methods) for seed in options.seeds]
        sets.append({"data": task.name, "n_train": len(task.train), "n_test": len(task.test)})
        sets[-1] |= {"epochs": runs.epochs_of(task), "methods": compare(by_seed), "runs": by_seed}
        for method in sets[-1]["methods"]:
            print(json.dumps({"data": task.name} | method))
    document = environment() | {"seeds": options.seeds, "sets": sets, "summary": summarise(sets)}
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    auc_against_d(sets, options.out.with_suffix(".png"))


def one_seed(task: Task, seed: int, runs: Runs, methods: Sequence[str]) -> dict[str, Any]:
    """The sweep, the automatic fits and the choices of the rivals, each computed once."""
    result = {
        "seed": seed,
        "fixed": runs.sweep(task, DIMS, seed),
        "auto": {strategy: runs.automatic(task, strategy, seed) for strategy in STRATEGIES if strategy in methods},
        "rivals": {},
    }
    for name, choose in ((name, choose) for name, choose in RIVALS.items() if name in methods):

        def compute(choose: Callable[..., dict[str, Any]] = choose) -> dict[str, Any]:
            choice, cost = timed(lambda: choose(runs.prepare(task, seed), runs.epochs_of(task), seed))
            return choice | cost

        result["rivals"][name] = runs.once(task, seed, name, compute)
    return result


def by_pca(data: TrainingData, epochs: int, seed: int) -> dict[str, Any]:
    return {"latent_dim": pca_dimension(data.train[:])}


def by_twonn(data: TrainingData, epochs: int, seed: int) -> dict[str, Any]:
    return {"latent_dim": twonn_dimension(data.distinct[:])}


def by_irmae(data: TrainingData, epochs: int, seed: int) -> dict[str, Any]:
    values = irmae.spectrum(irmae.train_irmae(data.train[:], epochs=epochs, seed=seed), data.train[:])
    return {"latent_dim": irmae.rank(values), "spectrum": values.tolist()}


def by_least_volume(data: TrainingData, epochs: int, seed: int) -> dict[str, Any]:
    model = least_volume.train_least_volume(data.train[:], epochs=epochs, seed=seed)
    return {"latent_dim": least_volume.pruned_dimension(model, data.train[:])}


RIVALS: dict[str, Callable[[TrainingData, int, int], dict[str, Any]]] = {
    "pca": by_pca,
    "twonn": by_twonn,
    "irmae": by_irmae,
    "least-volume": by_least_volume,
}


def compare(by_seed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per method, means over seeds; the oracle picks the d with the best mean AUC, by labels."""
    fixed = [run["fixed"] for run in by_seed]
    aucs = np.mean([[row["auc"] for row in rows] for rows in fixed], axis=0)
    n = len(by_seed)
    constant = {"oracle": DIMS[int(aucs.argmax())]} | {f"fixed-{d}": d for d in FIXED}
    rows = {name: _of_sweep(fixed, [d] * n, [d] * n) for name, d in constant.items()}
    knees = [elbow(DIMS, [row["error_held_out"] for row in rows]) for rows in fixed]
    rows["elbow"] = _of_sweep(fixed, knees, knees)
    for name in by_seed[0]["rivals"]:
        ds = [run["rivals"][name]["latent_dim"] for run in by_seed]
        rows[name] = _of_sweep(fixed, ds, [at_least(d, DIMS) if name == "twonn" else nearest(d, DIMS) for d in ds])
    for strategy in by_seed[0]["auto"]:
        fits = [run["auto"][strategy] for run in by_seed]
        ds = [fit["latent_dim"] for fit in fits]
        rows[strategy] = _row(ds, [{score: fit[score] for score in SCORES} for fit in fits])
        # what the choice alone is worth: the sweep's network of that d
        at_d = _of_sweep(fixed, ds, [nearest(d, DIMS) for d in ds])
        rows[strategy]["regret_of_choice"] = float(aucs.max() - at_d["auc_residual"])
    return [{"method": name} | row | {"regret": float(aucs.max() - row["auc_residual"])} for name, row in rows.items()]


def summarise(sets: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of every method, over sets: mean AUC of both scores, mean and worst regret of its d, and the regret that it has
    beyond that of the best constant d, with a 95 % interval from resampled sets."""
    by_method = {row["method"]: [one["methods"][i] for one in sets] for i, row in enumerate(sets[0]["methods"])}
    regrets = {
        name: np.array([row.get("regret_of_choice", row["regret"]) for row in rows]) for name, rows in by_method.items()
    }
    best = min((f"fixed-{d}" for d in FIXED), key=lambda name: regrets[name].mean())
    chosen = np.random.default_rng(0).integers(len(sets), size=(RESAMPLES, len(sets)))
    summary: dict[str, dict[str, Any]] = {}
    for name, rows in by_method.items():
        more = regrets[name] - regrets[best]
        summary[name] = {f"auc_{score}": float(np.mean([row[f"auc_{score}"] for row in rows])) for score in SCORES}
        summary[name] |= {"regret": float(regrets[name].mean()), "worst": float(regrets[name].max())}
        summary[name] |= {"beyond": best, "more": float(more.mean())}
        summary[name]["interval"] = np.quantile(more[chosen].mean(1), (0.025, 0.975)).tolist()
    return summary


def _of_sweep(fixed: list[list[dict[str, Any]]], chosen: list[float], used: list[int]) -> dict[str, Any]:
    rows = [of_seed[DIMS.index(d)] for of_seed, d in zip(fixed, used, strict=True)]
    return _row(
        chosen, [{"residual": {"auc": row["auc"], "ap": row["ap"]}, "surprisal": row["surprisal"]} for row in rows]
    )


def _row(chosen: list[float], scores: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    means = {f"{m}_{score}": float(np.mean([s[score][m] for s in scores])) for score in SCORES for m in ("auc", "ap")}
    return {"d": chosen} | means


if __name__ == "__main__":
    main()
