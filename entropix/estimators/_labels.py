"""Class labels: information between a class and a continuous sample or between two classes, entropy of a class.

The plug-in entropy of a discrete sample is too low by (K - 1) / 2n for K classes, to first order (Miller 1955, Madow):
that is added. Of the corrections in use it is the one in closed form, whose terms are those of single rows, so that the
standard error and groups work as everywhere else. The estimator of Nemenman, Shafee and Bialek (2002) is better where
many classes were seen once or never; then a warning says so instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._dependent_rows import as_groups
from entropix.estimators._inputs import Samples, check_base, tell, unmasked
from entropix.estimators._ksg import class_information
from entropix.estimators._results import Entropy, averaged

SEEN_ONCE = 0.1
"""Share of rows whose class no other row has, above which unseen classes matter (Good 1953: the same share of all)."""


def as_labels(x: Any, name: str, k: int) -> Tensor | None:
    """Number the classes (n,) if x is class labels: bool, text, categories, or integers each of which n rows share.

    Integers are classes if each occurs more than 4 k times, enough to look for neighbours within a class.
    """
    if isinstance(x, Tensor):
        x = x.detach().cpu().numpy() if x.dtype == torch.bool or not x.is_floating_point() else None
    if x is None:
        return None
    labels = unmasked(x, name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "bUSOiu":
        return None
    if labels.dtype.kind == "O":
        if not all(isinstance(label, (str, bool, np.bool_)) for label in labels):
            return None
        labels = labels.astype(str)
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if labels.dtype.kind in "iu" and counts.min() <= 4 * k:
        return None
    return torch.from_numpy(numbers)


def discrete_entropy(
    labels: ArrayLike | Tensor, *, base: float | None = None, local: bool = False, groups: ArrayLike | None = None
) -> Entropy:
    """Estimate the entropy of a discrete variable from its values (top of `_labels`; Miller 1955).

    Args:
        labels: Values (n,) of any kind that can be told apart.
        base: Base of the logarithm; None: nats.
        local: Also return the contributions (n,) of the rows: the surprises of their values.
        groups: Patient, series or subject (n,) that each row belongs to: rows of one group may depend on one another.

    Returns:
        An `Entropy` of dimension 0.

    Raises:
        ValueError: Another number of axes, fewer than two values, or a base that is 1 or not positive.
    """
    check_base(base)
    values = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else unmasked(labels, "labels")
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"labels have shape {values.shape}; expected (n,) with two or more")
    _, numbers = np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)
    points, notes = surprises(torch.from_numpy(numbers))
    samples = Samples(torch.empty(0, dtype=torch.float64), batched=False, numpy=not isinstance(labels, Tensor))
    clusters = as_groups(groups, len(points), points.device)
    fields = averaged(points, torch.arange(len(points)), samples, base, local, clusters=clusters, notes=notes)
    result = Entropy(**fields, k=0, method="miller-madow", dimension=0.0)
    tell(list(result.warnings))
    return result


def surprises(numbers: Tensor) -> tuple[Tensor, tuple[str, ...]]:
    """Return contributions (n,) to the entropy of classes (n,), and a warning if many classes may be unseen."""
    n = len(numbers)
    counts = torch.bincount(numbers).double()
    counts, numbers = counts[counts > 0], torch.unique(numbers, return_inverse=True)[1]
    points = -(counts / n).log()[numbers] + (len(counts) - 1) / (2 * n)
    once = float((counts == 1).sum()) / n
    if once <= SEEN_ONCE:
        return points, ()
    return points, (
        f"{100 * once:.0f} % of the rows have a class of their own: many classes are unseen, and the entropy too low",
    )


def label_information(x: Tensor, labels: Tensor, k: int) -> tuple[Tensor, tuple[str, ...]]:
    """Return contributions (n,) to the information between scaled x (n, p) or classes x (n,), and classes (n,)."""
    if x.dim() == 2:
        return class_information(x, labels, k), ()
    both = x * (int(labels.max()) + 1) + labels
    parts = [surprises(numbers) for numbers in (x, labels, both)]
    return parts[0][0] + parts[1][0] - parts[2][0], parts[2][1]
