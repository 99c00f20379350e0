"""The conditional model of the residual for flat feature vectors: every feature in units of its usual residual."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

LEAST_SCALE = 1e-6  # smallest scale of a residual; features have unit variance


@dataclass(frozen=True)
class FeatureModel:
    """The conditional model of the residual of feature vectors, made by `FeatureModel.fit`.

    It is a `ResidualModel` with features in place of pixels, and without blurring.

    Attributes:
        scale: (p,) root mean square of the residual of each feature on held-out normal vectors.
        freedom: (1,) nu, effective degrees of freedom, at most p.
    """

    scale: Tensor
    freedom: Tensor

    @classmethod
    def fit(cls, x: Tensor, x_hat: Tensor) -> FeatureModel:
        """Fit the model to held-out normal vectors x and their reconstructions x_hat, both (n, p)."""
        scale = (x - x_hat).square().mean(0).sqrt().clamp(min=LEAST_SCALE)
        ratio = ((x - x_hat) / scale).square().mean(1)
        freedom = (2 / ratio.var(correction=0)).clamp(max=x.shape[1])
        return cls(scale, freedom.reshape(1))

    def activations(self, x: Tensor) -> list[Tensor]:
        """Return none: no network looks at vectors."""
        return []

    def surprise(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return the surprise in nats, (n,), of vectors x with reconstructions x_hat, both (n, p)."""
        return self.surprise_map(x, x_hat).sum(1)

    def surprise_map(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Return nats per feature, (n, p): their sum over a vector is its `surprise`."""
        return self.freedom / (2 * x.shape[1]) * ((x - x_hat) / self.scale).square()
