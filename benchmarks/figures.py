"""The figures of README and docs, from the results: python benchmarks/figures.py

`auto_vs_fixed.py` draws its own beside its JSON.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from entropix.plots import new_figure

METHODS = {  # of the sweep's networks: marker and label
    "oracle": ("o", "best by labels"),
    "elbow": ("^", "elbow of held-out error"),
    "pca": ("v", "PCA 95 %"),
    "twonn": ("s", "TwoNN"),
    "irmae": ("P", "IRMAE-WD"),
    "least-volume": ("X", "Least Volume"),
}
ROOT = Path(__file__).parent.parent
COLOURS = ("black", "tab:pink", "tab:olive")  # of the strategies of `fit`


def auc_against_d(sets: list[dict[str, Any]], path: Path) -> None:
    """A panel per set: the sweep with both scores, mean and range over seeds, and where the methods stand on it."""
    columns = min(5, len(sets))
    lines = -(-len(sets) // columns)
    figure, axes = new_figure(3.4 * columns, 2.8 * lines + 0.8, lines, columns)
    for ax in axes.flat[len(sets) :]:
        ax.set_axis_off()
    for ax, entry in zip(axes.flat, sets, strict=False):
        sweep = [run["fixed"] for run in entry["runs"]]
        dims = [row["latent_dim"] for row in sweep[0]]
        paper = np.array([[row["auc"] for row in rows] for rows in sweep])
        default = np.array([[row["surprisal"]["auc"] for row in rows] for rows in sweep])
        for label, colour, values in (("paper's", "0.45", paper), ("default", "tab:blue", default)):
            ax.plot(dims, values.mean(0), ".-", color=colour, lw=1, label=f"sweep, {label} score")
            ax.fill_between(dims, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
        rows = {row["method"]: row for row in entry["methods"]}
        for name, (marker, label) in METHODS.items():
            if name not in rows:
                continue
            ax.plot(np.mean(rows[name]["d"]), rows[name]["auc_residual"], marker, ms=6, mfc="none", label=label)
        for colour, strategy in zip(COLOURS, entry["runs"][0]["auto"], strict=False):
            row = rows[strategy]
            ax.plot(np.mean(row["d"]), row["auc_surprisal"], "*", ms=13, color=colour, label=f"fit ({strategy})")
            label = "the same, paper's score"
            ax.plot(np.mean(row["d"]), row["auc_residual"], "*", ms=9, mfc="none", color=colour, label=label)
        ax.set(title=entry["data"], xlabel="latent dimension d", ylabel="AUC", xscale="log", xticks=dims)
        ax.xaxis.set_major_formatter("{x:.0f}")
        ax.minorticks_off()
    handles = axes.flat[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5, fontsize="small")
    figure.savefig(path, dpi=120)


def entropy_against_d(sets: list[dict[str, Any]], path: Path) -> None:
    """A panel per set: the entropy of the reconstructions beside H(X_n), the d chosen by it and the best by labels."""
    figure, axes = new_figure(17, 6.4, 2, 5)
    for ax, entry in zip(axes.flat, sets, strict=True):
        fit = entry["runs"][0]["auto"]["select"]
        dims = [point["latent_dim"] for point in fit["curve"]]
        low, high = fit["entropy"]["ci"]
        ax.axhspan(low, high, color="tab:blue", alpha=0.15, lw=0, label="H(X_n), 95 % interval")
        ax.plot(
            dims, [point["entropy"] for point in fit["curve"]], ".-", color="tab:blue", label="H of reconstructions"
        )
        best = max(entry["runs"][0]["fixed"], key=lambda row: row["auc"])["latent_dim"]
        ax.axvline(fit["latent_dim"], color="black", lw=1, label="chosen")
        ax.axvline(best, color="tab:orange", lw=1, ls="--", label="best of the sweep by labels")
        ax.set(title=entry["data"], xlabel="latent dimension d", ylabel="nats", xscale="log", ylim=(0, 1.15 * high))
        ax.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
        ax.minorticks_off()
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=70)


def columns_by_set(document: dict[str, Any], path: Path) -> None:
    """AUC of every column of `many_tasks.py` by set: a dot per column, the default score a star."""
    sets = document["sets"]
    figure, ((ax,),) = new_figure(10, 0.45 * len(sets) + 1.2, 1, 1)
    shown = [name for name in document["summary"]["columns"] if name not in ("conditional", "latent")]
    for name, marker in zip(shown, "*osvPXD", strict=True):
        values = [np.mean([run["auc"][name] for run in one["runs"]]) for one in sets]
        first = name == shown[0]
        ax.plot(values, range(len(sets)), marker, ms=14 if first else 7, mfc=None if first else "none", label=name)
    ax.set_yticks(range(len(sets)), [one["data"] for one in sets])
    ax.invert_yaxis()
    ax.set(xlabel="AUC on the labelled test images, mean of the seeds")
    ax.axvline(0.5, color="0.7", lw=1)
    figure.legend(loc="outside lower center", ncols=4, fontsize="small")
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    results, images = ROOT / "benchmarks/results", ROOT / "docs/images"
    images.mkdir(exist_ok=True)
    entropy_against_d(json.loads((results / "auto_vs_fixed.json").read_text())["sets"], images / "entropy.png")
    columns_by_set(json.loads((results / "many_tasks.json").read_text()), images / "many_tasks.png")
