"""Scores: their histogram, and how well they separate labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from entropix.plots._axes import legend
from entropix.plots._drawn import Drawn
from entropix.scoring import DEFAULT_SCORE, SCORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_scores(detector: Drawn, ax: Axes, scores: np.ndarray, labels: np.ndarray) -> None:
    """Draw histograms of the scores of held-out normal images and of other images.

    The level above which images are anomalous is marked.

    Args:
        detector: gives the scores of held-out normal images, and the level.
        ax: matplotlib axes to draw on.
        scores: (n,) of the other images, by the default score.
        labels: (n,) 0 normal, 1 abnormal, -1 unknown.
    """
    known = detector.calibration_[DEFAULT_SCORE].numpy()
    groups = [("held-out normal", known)]
    groups += [
        (name, scores[labels == value])
        for value, name in ((0, "normal"), (1, "abnormal"), (-1, "of unknown label"))
        if (labels == value).any()
    ]
    shown = np.concatenate([values for _, values in groups])
    low, high = np.quantile(shown, (0, 0.99))
    bins = np.linspace(low, max(float(high), -1.1 * detector.offset_), 41)
    for name, values in groups:
        inside = values.clip(bins[0], bins[-1])  # larger values are counted in the last bin
        ax.hist(inside, bins.tolist(), density=True, histtype="stepfilled", alpha=0.4, label=f"{name} ({len(values)})")
    ax.axvline(-detector.offset_, color="tab:red", lw=1, ls="--", label=f"calibrated, alpha = {detector.alpha:g}")
    ax.set(xlabel=f"{DEFAULT_SCORE} in {SCORES[DEFAULT_SCORE].unit}", ylabel="density")
    legend(ax)


def plot_roc(ax: Axes, scores: dict[str, np.ndarray], labels: np.ndarray) -> None:
    """Draw receiver operating characteristics, one curve for each score.

    Args:
        ax: matplotlib axes to draw on.
        scores: (n,) by name.
        labels: (n,) 0 normal, 1 abnormal, -1 unknown: these images are left out.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    known = labels >= 0
    for name, values in scores.items():
        x, y, _ = roc_curve(labels[known], values[known])
        ax.plot(x, y, label=f"{name}, area {roc_auc_score(labels[known], values[known]):.3f}")
    ax.plot([0, 1], [0, 1], color="0.5", lw=1, ls=":")
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate")
    legend(ax)


def plot_precision_recall(ax: Axes, scores: dict[str, np.ndarray], labels: np.ndarray) -> None:
    """Draw precision against recall, one curve for each score.

    Args:
        ax: matplotlib axes to draw on.
        scores: (n,) by name.
        labels: (n,) 0 normal, 1 abnormal, -1 unknown: these images are left out.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    known = labels >= 0
    for name, values in scores.items():
        y, x, _ = precision_recall_curve(labels[known], values[known])
        ax.plot(x, y, label=f"{name}, AP {average_precision_score(labels[known], values[known]):.3f}")
    ax.axhline(float((labels[known] == 1).mean()), color="0.5", lw=1, ls=":")
    ax.set(xlabel="recall", ylabel="precision", ylim=(0, 1.02))
    legend(ax)
