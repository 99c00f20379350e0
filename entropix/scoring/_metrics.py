"""How well scores separate labelled images; for reporting only, nothing is chosen by it."""

from __future__ import annotations

import numpy as np


def detection_metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Return the area under the ROC curve and the average precision of scores.

    Args:
        labels: (n,), 0 normal, 1 abnormal, -1 unknown: these images are left out.
        scores: (n,), higher is more anomalous.

    Returns:
        "auc" and "ap"; nothing unless there are both normal and abnormal images.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    known = labels >= 0
    if len(np.unique(labels[known])) < 2:
        return {}
    return {
        "auc": float(roc_auc_score(labels[known], scores[known])),
        "ap": float(average_precision_score(labels[known], scores[known])),
    }
