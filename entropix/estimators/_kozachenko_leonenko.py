"""The Kozachenko-Leonenko estimate, point by point.

Kozachenko and Leonenko 1987; for k neighbours Goria et al. 2005, eq. 10, Kraskov et al. 2004, eq. 20:
H = psi(n) - psi(k) + ln V_d + d <ln rho_k>, rho_k being the distance to the k-th neighbour and V_d the
volume of the unit ball of the metric.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

from torch import Tensor

from entropix.estimators._neighbours import nearest
from entropix.estimators._normal_reference import log_unit_ball
from entropix.ops import Neighbours, knn


class LogRadii(NamedTuple):
    """ln r_1..r_j of n points, (n, j) float64 without gradient, and the k-th of them (n,), with it when x
    has one."""

    all: Tensor
    kth: Tensor


def log_radii(
    x: Tensor, k: int, metric: str = "euclidean", extra: int = 0, known: Neighbours | None = None
) -> LogRadii:
    """Logarithms of the distances to the neighbours 1..max(k, extra) of each row of x (n, d).

    known: euclidean neighbours of the rows of x from an earlier search, used if they are enough.
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


def log_unit_volume(d: float, metric: str) -> float:
    """Logarithm of the volume of the unit ball: euclidean, or the cube of side 2 for the Chebyshev metric."""
    return log_unit_ball(d) if metric == "euclidean" else d * log(2)


def kl_local(kth: Tensor, k: int, d: float, metric: str = "euclidean") -> Tensor:
    """Contributions (n,) whose mean is the estimate, from ln rho_k (n,)."""
    from scipy.special import digamma

    n = len(kth)
    return d * kth + (log_unit_volume(d, metric) + float(digamma(n) - digamma(k)))


def averaging_noise(k: int) -> float:
    """n times the variance that overlapping neighbourhoods add to the mean of n contributions.

    A contribution fluctuates by psi'(k) about -ln p (the log-gamma law of a Poisson process), and neighbours
    share their fluctuations: for a uniform density on the torus the variance of the mean is 1.65 psi'(k) /
    n, within a tenth for k = 1..10 and d = 1..6 (simulated; Delattre and Fournier 2017 give it for k = 1).
    What exceeds psi'(k) is not seen in the spread of single contributions.
    """
    from scipy.special import polygamma

    return 0.65 * float(polygamma(1, k))
