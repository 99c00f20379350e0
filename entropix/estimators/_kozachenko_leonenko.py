"""The Kozachenko-Leonenko estimate, point by point.

Kozachenko and Leonenko 1987; for k neighbours Goria et al. 2005, eq. 10, Kraskov et al. 2004, eq. 20:
H = psi(n) - psi(k) + ln V_d + d <ln rho_k>, rho_k being the distance to the k-th neighbour and V_d the volume of the
unit ball of the metric.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

from torch import Tensor

from entropix.estimators._neighbours import nearest
from entropix.estimators._normal_reference import log_unit_ball
from entropix.ops import Metric, Neighbours, knn


class LogRadii(NamedTuple):
    """Logarithms of the distances of n points to their neighbours, nearest first.

    Attributes:
        all: ln r_1..ln r_j (n, j), float64, without gradient.
        kth: ln r_k (n,), with a gradient if the points have one.
    """

    all: Tensor
    kth: Tensor


def log_radii(
    x: Tensor, k: int, metric: Metric = "euclidean", extra: int = 0, known: Neighbours | None = None
) -> LogRadii:
    """Take the logarithms of the distances of each row to its nearest neighbours.

    Args:
        x: Rows (n, d), float32 or float64, n > k.
        k: The neighbour whose distance is returned by itself, and differentiable.
        metric: "euclidean" or "chebyshev".
        extra: Neighbours to return if more than k; at most n - 1 are.
        known: Euclidean neighbours of the rows from an earlier search, used if they are enough.

    Returns:
        ln r_1..ln r_j with j = min(max(k, extra), n - 1), and ln r_k. They are -inf where the distance is 0.

    Raises:
        TypeError: x has another type or dtype.
        ValueError: x has another shape, or holds NaN or infinity; k or the metric is out of range.
    """
    most = min(max(k, extra), len(x) - 1)
    if known is not None and metric == "euclidean" and known.distances.shape[1] >= most:
        neighbours = Neighbours(known.distances[:, :most], known.indices[:, :most])
    else:
        neighbours = nearest(x, most) if metric == "euclidean" else knn(x.detach(), most, metric=metric)
    values = neighbours.distances.double().log()
    kth = values[:, k - 1]
    if x.requires_grad:
        # which point is the neighbour is locally constant, so the distance to it is differentiated
        step = x.double() - x.double()[neighbours.indices[:, k - 1]]
        kth = (step.norm(dim=-1) if metric == "euclidean" else step.abs().amax(-1)).log()
    return LogRadii(values, kth)


def log_unit_volume(d: float, metric: Metric) -> float:
    """Return the logarithm of the volume of the unit ball, which for the Chebyshev metric is the cube of side 2."""
    return log_unit_ball(d) if metric == "euclidean" else d * log(2)


def kl_local(kth: Tensor, k: int, d: float, metric: Metric = "euclidean") -> Tensor:
    """Return the contributions to the Kozachenko-Leonenko estimate (Kraskov et al. 2004, eq. 20).

    Args:
        kth: Logarithms (n,) of the distances of n points to their k-th neighbours.
        k: Which neighbour.
        d: Dimension; may be fractional.
        metric: "euclidean" or "chebyshev", that of the distances.

    Returns:
        Contributions (n,) in nats, whose mean is the estimate; differentiable.
    """
    from scipy.special import digamma

    n = len(kth)
    return d * kth + (log_unit_volume(d, metric) + float(digamma(n) - digamma(k)))


def averaging_noise(k: int) -> float:
    """Return n times the variance that overlapping neighbourhoods add to the mean of n contributions.

    A contribution fluctuates by psi'(k) about -ln p (the log-gamma law of a Poisson process), and neighbours share
    their fluctuations: for a uniform density on the torus the variance of the mean is 1.65 psi'(k) / n, within a tenth
    for k = 1..10 and d = 1..6 (simulated; Delattre and Fournier 2017 give it for k = 1). What exceeds psi'(k) is not
    seen in the spread of single contributions.
    """
    from scipy.special import polygamma

    return 0.65 * float(polygamma(1, k))
