"""The README's figure, from the results of `auto_vs_fixed.py`."""

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
