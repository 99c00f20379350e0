"""The latent term, -ln p(z): how far a code lies from the codes of normal images.

The k-nearest-neighbour density behind the Kozachenko-Leonenko estimator, read at one point:
-ln p(z) = m ln rho_k(z) + ln V_m + psi(N + 1) - psi(k), rho_k the distance to the k-th of N reference codes,
m their intrinsic dimension. Codes are whitened first, so that no latent counts by its unit.

Only what exceeds the usual counts (`excess`). Normal codes are spread over their typical set, where a lower
density is no evidence of anything: an image is not more abnormal for being a rarer normal one. Evidence begins
where normal codes end, at the largest surprise of a held-out normal code.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from entropix.estimators import EstimatorWarning, intrinsic_dimension, log_unit_ball
from entropix.ops import knn

NEIGHBOURS = 5
MOST_CODES = 20_000  # reference codes; with twice as many, m ln rho changes by ln 2, everywhere alike


@dataclass(frozen=True)
class LatentModel:
    """The density of normal codes, made by `LatentModel.fit`.

    Attributes:
        codes: (N, d) whitened codes of distinct normal images.
        whitening: (d, d); the whitened code of z is (z - mean) @ whitening.
        mean: (d,) mean of the codes.
        dimension: (1,) m, the intrinsic dimension of the codes.
        usual: (1,) nats, the largest surprise of a held-out normal code.
    """

    codes: Tensor
    whitening: Tensor
    mean: Tensor
    dimension: Tensor
    usual: Tensor

    @classmethod
    def fit(cls, train: Tensor, held_out: Tensor) -> LatentModel:
        """Fit the model to normal codes.

        Args:
            train: codes (N, d) of distinct training images, in random order; the first 20,000 are used.
            held_out: codes (n, d) of held-out normal images.
        """
        train = train[:MOST_CODES]
        mean = train.mean(0)
        variances, axes = torch.linalg.eigh(torch.cov(train.T.double()).reshape(train.shape[1], -1))
        # latents that the encoder does not use would be blown up to noise
        scale = variances.clamp(min=float(variances[-1]) * 1e-6).sqrt()
        # as a loaded model has it: products of strided tensors differ in the last bit
        whitening = (axes / scale).to(train.dtype).contiguous()
        codes = ((train - mean) @ whitening).contiguous()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimatorWarning)  # on long codes: few points can tell m no better
            m = intrinsic_dimension(codes.double(), method="mle").value
        model = cls(codes, whitening, mean, train.new_tensor([m]), train.new_zeros(1))
        return cls(codes, whitening, mean, model.dimension, model.surprise(held_out).amax().reshape(1))

    def excess(self, z: Tensor) -> Tensor:
        """Return the nats, (n,), by which codes z (n, d) are more surprising than usual; 0 for usual ones."""
        return (self.surprise(z) - self.usual).clamp(min=0)

    def surprise(self, z: Tensor) -> Tensor:
        """Return -ln p(z) in nats, (n,), of codes z (n, d); the density is that of whitened codes."""
        from scipy.special import digamma

        m = float(self.dimension)
        radius = knn(self.codes, NEIGHBOURS, query=(z - self.mean) @ self.whitening).distances[:, -1]
        tiny = torch.finfo(radius.dtype).tiny  # for a code that k references coincide with
        constant = log_unit_ball(m) + float(digamma(len(self.codes) + 1) - digamma(NEIGHBOURS))
        return m * radius.clamp(min=tiny).log() + constant
