"""Pictures, drawn on matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from entropix.detector import EntropixDetector
from entropix.scoring import DEFAULT_SCORE, SCORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_curve(detector: EntropixDetector, ax: Axes) -> None:
    """Draw H(X^_d) against d beside H(X_n), and on a second axis the visibility of foreign content; d is marked.

    Args:
        detector: its d was chosen from a curve.
        ax: matplotlib axes to draw on.

    Raises:
        ValueError: the detector has no curve.
    """
    curve = detector.curve_
    if not curve or detector.entropy_ is None:
        raise ValueError("this detector has no curve: its latent dimension was given, not chosen")
    d = [int(point["latent_dim"]) for point in curve]
    low, high = detector.entropy_.ci
    ax.axhspan(low, high, color="tab:blue", alpha=0.15, lw=0)
    ax.axhline(float(detector.entropy_), color="tab:blue", lw=1, ls="--", label="H(X_n), 95 % interval")
    h = [point["entropy"] for point in curve]
    ax.plot(d, h, "o-", color="tab:blue", label="H of the reconstructions")
    ax.axvline(detector.latent_dim_, color="0.5", lw=1, label=f"chosen d = {detector.latent_dim_}")
    ax.set(xlabel="latent dimension d", ylabel="entropy in nats", xscale="log")
    _power_ticks(ax, d)
    right = ax.twinx()
    visibility = [point["visibility"] for point in curve]
    error = [point["visibility_stderr"] for point in curve]
    right.errorbar(d, visibility, error, fmt="s:", color="tab:orange", capsize=3, label="visibility of foreign content")
    right.set_ylabel("visibility (0.5: none)")
    right.spines["right"].set_visible(True)
    _legend(ax, right)


def plot_errors(detector: EntropixDetector, ax: Axes) -> None:
    """Draw the mean squared error of training and held-out normal images against d (the paper's Figure 3).

    The chosen d is marked.

    Args:
        detector: its d was chosen from a curve.
        ax: matplotlib axes to draw on.

    Raises:
        ValueError: the detector has no curve.
    """
    curve = detector.curve_
    if not curve:
        raise ValueError("this detector has no curve: its latent dimension was given, not chosen")
    d = [int(point["latent_dim"]) for point in curve]
    for name, label, style in (("error_train", "training", "o-"), ("error_held_out", "held-out normal", "s--")):
        ax.plot(d, [point[name] for point in curve], style, label=label)
    ax.axvline(detector.latent_dim_, color="0.5", lw=1, label=f"chosen d = {detector.latent_dim_}")
    ax.set(xlabel="latent dimension d", ylabel="mean squared error", xscale="log")
    _power_ticks(ax, d)
    _legend(ax)


def plot_history(detector: EntropixDetector, ax: Axes) -> None:
    """Draw the training loss against epochs.

    Args:
        detector: any fitted one.
        ax: matplotlib axes to draw on.
    """
    ax.plot(np.arange(1, len(detector.history_) + 1), detector.history_)
    ax.set(xlabel="epoch", ylabel="training loss")


def plot_scores(detector: EntropixDetector, ax: Axes, scores: np.ndarray, labels: np.ndarray) -> None:
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
    _legend(ax)


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
    _legend(ax)


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
    _legend(ax)


def plot_heatmaps(
    detector: EntropixDetector, images: np.ndarray, axes: np.ndarray, masks: np.ndarray | None = None
) -> None:
    """Draw one column per image, with three rows: image, reconstruction, heat map.

    Args:
        detector: fitted to images.
        images: (n, 1, s, s) on [0, 1].
        axes: matplotlib axes to draw on, (3, n).
        masks: (n, s, s), outlined in image and heat map.
    """
    heat = np.stack(list(detector.heatmap(images)))
    brightest = float(np.quantile(heat, 0.999)) or 1.0
    rows = (("image", images[:, 0], "gray", 1.0), ("reconstruction", detector.reconstruct(images)[:, 0], "gray", 1.0))
    for axes_row, (title, pictures, colours, top) in zip(
        axes, (*rows, ("surprise", heat, "inferno", brightest)), strict=True
    ):
        axes_row[0].set_ylabel(title)
        for column, (ax, picture) in enumerate(zip(axes_row, pictures, strict=True)):
            ax.imshow(picture, cmap=colours, vmin=0, vmax=top)
            ax.set(xticks=[], yticks=[])
            if masks is not None and title != "reconstruction" and masks[column].any():
                ax.contour(masks[column], levels=[0.5], colors="tab:cyan", linewidths=0.8)


def _legend(*axes: Axes) -> None:
    """One legend for all axes of a picture. It is placed above them, because curves may run through every corner."""
    handles = [handle for ax in axes for handle in ax.get_legend_handles_labels()[0]]
    axes[0].legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize="small", frameon=False
    )


def _power_ticks(ax: Axes, d: list[int]) -> None:
    ax.set_xticks([2**i for i in range(max(d).bit_length()) if 2**i >= min(d)])
    ax.xaxis.set_major_formatter("{x:.0f}")
    ax.minorticks_off()


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """Return a figure that needs no display, and its axes (rows, columns).

    Args:
        width: in inches.
        height: in inches.
        rows: number of rows of axes.
        columns: number of columns of axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)
