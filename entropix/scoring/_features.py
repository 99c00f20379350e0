"""The conditional model of the residual for flat feature vectors: every feature in units of its usual residual."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from entropix.scoring._outputs import Outputs
from entropix.scoring._residual import Surprise

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
    def fit(cls, known: Outputs) -> FeatureModel:
        """Fit the model to held-out normal vectors."""
        scale = known.residual.square().mean(0).sqrt().clamp(min=LEAST_SCALE)
        ratio = (known.residual / scale).square().mean(1)
        freedom = (2 / ratio.var(correction=0)).clamp(max=len(scale))
        return cls(scale, freedom.reshape(1))

    def surprise(self, of: Outputs) -> Surprise:
        """Return the surprise of vectors: in all, and by feature."""
        places = self.freedom / (2 * len(self.scale)) * (of.residual / self.scale).square()
        return Surprise(places.sum(1), places)
