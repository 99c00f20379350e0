"""Two normals as a model of two samples: their divergence, and draws on which an estimator's error can be seen.

Everything is in coordinates in which Q is standard normal; P has mean `shift` and covariance A A'. The divergence of
the two fitted normals is too high on average, by terms known exactly for normal samples (the mean of an inverse Wishart
matrix and of a log-determinant: Anderson 2003, lemma 7.7.1 and theorem 7.5.3). P is moved towards Q until what remains
is its divergence.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class NormalPair(NamedTuple):
    """P beside a standard normal Q.

    Attributes:
        shift: Mean (d,) of P.
        axes: Principal axes (d, d) of P, in columns.
        variances: Its variances (d,) along them.
    """

    shift: Tensor
    axes: Tensor
    variances: Tensor

    @classmethod
    def fit(cls, x: Tensor, y: Tensor) -> tuple[NormalPair, Tensor]:
        """Fit x (n, d) and y (m, d) with m > d + 2 and n > d, and return the matrix (d, d) that makes y white too."""
        n, m, d = len(x), len(y), x.shape[1]
        values, vectors = torch.linalg.eigh(torch.cov(y.T).reshape(d, d))
        white = (vectors * values.rsqrt()) @ vectors.T
        variances, axes = torch.linalg.eigh(torch.cov((x @ white).T).reshape(d, d))
        fitted = cls((x.mean(0) - y.mean(0)) @ white, axes, variances)
        inverse = (m - 1) / (m - d - 2)
        trace = float(variances.sum()) / inverse
        mean = float(fitted.shift.square().sum()) / inverse - trace / n - d / m
        determinants = _log_determinant_bias(m, d) - _log_determinant_bias(n, d)
        wanted = 0.5 * (trace + mean - d - float(variances.log().sum()) - determinants)
        return fitted.with_divergence(wanted), white

    @property
    def divergence(self) -> float:
        """D(P || Q) in nats."""
        terms = self.variances - 1 - self.variances.log() + self.shift.square()
        return 0.5 * float(terms.sum())

    def with_divergence(self, wanted: float) -> NormalPair:
        """Return P moved towards Q, or away from it, until D(P || Q) is what is wanted; at least 0."""
        low, high = 0.0, 0.0 if wanted <= 0 else 2.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self._at(middle).divergence < wanted else (low, middle)
        return self._at(high)

    def _at(self, part: float) -> NormalPair:
        return self._replace(shift=self.shift * part, variances=self.variances**part)

    def log_ratio(self, x: Tensor) -> Tensor:
        """Return ln p(x) / q(x), (n,)."""
        along = (x - self.shift) @ self.axes
        return 0.5 * (x.square().sum(1) - (along.square() / self.variances).sum(1) - self.variances.log().sum())

    def influence_of_q(self, y: Tensor) -> Tensor:
        """Return by how much (m,), times 1 / m, the divergence of the fitted normals depends on each row of Q."""
        along = y @ self.axes
        spread = y.square() - along.square() * self.variances - (y @ self.shift).square()[:, None] / y.shape[1]
        linear = 0.5 * spread.sum(1) - y @ self.shift
        return linear - linear.mean()

    def sample(self, n: int, m: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw x (n, d) of P and y (m, d) of Q.

        By the symmetric root of the covariance: the signs of principal axes differ from machine to machine.
        """
        x, y = (torch.randn((size, len(self.shift)), generator=generator, dtype=torch.float64) for size in (n, m))
        x, y = x.to(self.shift.device), y.to(self.shift.device)
        return x @ (self.axes * self.variances.sqrt()) @ self.axes.T + self.shift, y


def _log_determinant_bias(n: int, d: int) -> float:
    """Return E ln |S| - ln |Sigma| for the sample covariance of n normal rows (d columns)."""
    halves = (n - torch.arange(1, d + 1, dtype=torch.float64)) / 2
    return float((torch.digamma(halves) - torch.tensor((n - 1) / 2).log()).sum())
