"""The latent term for vectors, -ln p(z): how far a code lies from normal codes (for images: `_activations`).

The k-nearest-neighbour density behind the Kozachenko-Leonenko estimator, read at one point:
-ln p(z) = m ln rho_k(z) + ln V_m + psi(N + 1) - psi(k), rho_k the distance to the k-th of N reference codes,
m their intrinsic dimension. Codes are whitened first, so that no latent counts by its unit.

Only what exceeds the usual counts (`nats`). Normal codes are spread over their typical set, where a lower density is
no evidence of anything: an input is not more abnormal for being a rarer normal one. Evidence begins where normal codes
end, at the largest surprise of a held-out normal code.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from entropix.estimators import EstimatorWarning, intrinsic_dimension, log_unit_ball
from entropix.ops import knn
from entropix.scoring._outputs import Outputs

NEIGHBOURS, MOST_NEIGHBOURS = 5, 10  # of a code: for its density, and at most for the dimension of the codes
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
    def fit(cls, train: Tensor) -> LatentModel:
        """Fit the density to codes (N, d) of distinct training inputs, in random order; the first 20,000 are used.

        `scaled` tells the model what is usual.
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
            m = intrinsic_dimension(codes.double(), method="mle", k=min(MOST_NEIGHBOURS, len(codes) - 1)).value
        return cls(codes, whitening, mean, train.new_tensor([m]), train.new_zeros(1))

    def measure(self, of: Outputs) -> Tensor:
        """Return the surprise (n,) of the codes."""
        return self.surprise(of.z)

    def scaled(self, measured: Tensor) -> LatentModel:
        """Return the model that takes up to the largest of the surprises (n,) of held-out normal codes as usual."""
        return replace(self, usual=measured.amax().reshape(1))

    def nats(self, measured: Tensor) -> Tensor:
        """Return the nats, (n,), by which surprises (n,) exceed the usual; 0 for usual ones."""
        return (measured - self.usual).clamp(min=0)

    def left_out(self, measured: Tensor, others: Tensor) -> Tensor:
        """Return the nats (n,) of held-out normal codes, of surprises `measured`, with only the `others` as usual."""
        return self.scaled(others).nats(measured)

    def surprise(self, z: Tensor) -> Tensor:
        """Return -ln p(z) in nats, (n,), of codes z (n, d); the density is that of whitened codes."""
        from scipy.special import digamma

        m = float(self.dimension)
        radius = knn(self.codes, NEIGHBOURS, query=(z - self.mean) @ self.whitening).distances[:, -1]
        tiny = torch.finfo(radius.dtype).tiny  # for a code that k references coincide with
        constant = log_unit_ball(m) + float(digamma(len(self.codes) + 1) - digamma(NEIGHBOURS))
        return m * radius.clamp(min=tiny).log() + constant
