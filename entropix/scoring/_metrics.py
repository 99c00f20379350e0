"""How well scores separate labelled images; for reporting only, nothing is chosen by it."""

from __future__ import annotations

import numpy as np


def detection_metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """{"auc", "ap"}: area under the ROC curve and average precision of scores (n,) where labels (n,) are 0 or 1.

    Images of unknown label (-1) are left out; without both kinds the result is empty.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    known = labels >= 0
    if len(np.unique(labels[known])) < 2:
        return {}
    return {
        "auc": float(roc_auc_score(labels[known], scores[known])),
        "ap": float(average_precision_score(labels[known], scores[known])),
    }
