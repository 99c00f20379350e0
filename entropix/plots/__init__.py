"""Pictures of a detector and its scores, drawn on matplotlib axes."""

from entropix.plots._axes import new_figure
from entropix.plots._curves import plot_curve, plot_errors, plot_history
from entropix.plots._heatmaps import plot_heatmaps
from entropix.plots._overlays import COLOURS, OPACITY, plot_overlays
from entropix.plots._scores import plot_precision_recall, plot_roc, plot_scores
from entropix.plots._svg import svg

__all__ = [
    "COLOURS",
    "OPACITY",
    "new_figure",
    "plot_curve",
    "plot_errors",
    "plot_heatmaps",
    "plot_history",
    "plot_overlays",
    "plot_precision_recall",
    "plot_roc",
    "plot_scores",
    "svg",
]
