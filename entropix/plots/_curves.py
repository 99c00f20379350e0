"""Curves against d, and the training loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from entropix.plots._axes import legend
from entropix.plots._drawn import Drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_curve(detector: Drawn, ax: Axes) -> None:
    """Draw H(X^_d) against d beside H(X_n), and on a second axis the visibility of foreign content; d is marked.

    Shaded are the deficit, what shorter codes miss of normal images, below the limit of H(X^_d), and the longer codes,
    where all that is added is leakage (`entropix.selection.choose`).

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
    _shade(ax, d, h, detector.latent_dim_)
    right = ax.twinx()
    visibility = [point["visibility"] for point in curve]
    error = [point["visibility_stderr"] for point in curve]
    right.errorbar(d, visibility, error, fmt="s:", color="tab:orange", capsize=3, label="visibility of foreign content")
    right.set_ylabel("visibility (0.5: none)")
    right.spines["right"].set_visible(True)
    legend(ax, right)


def _shade(ax: Axes, d: list[int], h: list[float], chosen: int) -> None:
    """Shade the deficit of codes up to the chosen one below the limit of the entropies h, and the longer codes."""
    short, full = [i for i, one in enumerate(d) if one <= chosen], max(h)
    ax.fill_between([d[i] for i in short], [h[i] for i in short], full, color="tab:red", alpha=0.12, lw=0)
    words: Any = {"fontsize": "small", "color": "0.5", "fontstyle": "italic"}
    ax.annotate("deficit", (d[0], full), (4, -4), textcoords="offset points", va="top", **words)
    if chosen < max(d):
        ax.axvspan(chosen, max(d), color="0.5", alpha=0.15, lw=0)
        low = ax.get_ylim()[0]
        ax.annotate("leakage", (max(d), low), (-4, 4), textcoords="offset points", ha="right", **words)


def plot_errors(detector: Drawn, ax: Axes) -> None:
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
    legend(ax)


def plot_history(detector: Drawn, ax: Axes) -> None:
    """Draw the training loss against epochs.

    Args:
        detector: any fitted one.
        ax: matplotlib axes to draw on.
    """
    ax.plot(np.arange(1, len(detector.history_) + 1), detector.history_)
    ax.set(xlabel="epoch", ylabel="training loss")


def _power_ticks(ax: Axes, d: list[int]) -> None:
    ax.set_xticks([2**i for i in range(max(d).bit_length()) if 2**i >= min(d)])
    ax.xaxis.set_major_formatter("{x:.0f}")
    ax.minorticks_off()
