"""Pictures of a detector and its scores, drawn on matplotlib axes."""

from entropix.plots._plots import (
    new_figure,
    plot_curve,
    plot_errors,
    plot_heatmaps,
    plot_history,
    plot_precision_recall,
    plot_roc,
    plot_scores,
)

__all__ = [
    "new_figure",
    "plot_curve",
    "plot_errors",
    "plot_heatmaps",
    "plot_history",
    "plot_precision_recall",
    "plot_roc",
    "plot_scores",
]
