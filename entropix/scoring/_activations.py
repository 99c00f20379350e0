"""The latent term for images, -ln p of the activations: where an image lies among normal ones before it becomes a code.

The code keeps what the decoder needs. What else the encoder sees on the way, and what the foreign-content network
(`_foreign_network`) sees, tells unusual images better than the code itself: mean and standard deviation over the image
of every channel of every stage, taken together as one Gaussian (Lee et al. 2018; Rippel, Mertens and Merhof 2021), with
a covariance that is shrunk as far as the number of images asks for (Ledoit and Wolf 2004).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from entropix.scoring._outputs import Outputs
from entropix.scoring._units import degrees_of_freedom

LEAST_SPREAD = 0.01  # of a statistic, in units of the median one: a channel that is silent on normal images has none


@dataclass(frozen=True)
class ActivationModel:
    """The density of the activations of normal images, made by `ActivationModel.fit`.

    Attributes:
        mean: (q,) mean of the statistics.
        whitening: (q, q); (statistics - mean) @ whitening has unit variance in every direction.
        energy: (1,) mean energy of held-out normal images.
        freedom: (1,) its degrees of freedom.
    """

    mean: Tensor
    whitening: Tensor
    energy: Tensor
    freedom: Tensor

    @classmethod
    def fit(cls, known: Tensor) -> ActivationModel:
        """Fit the Gaussian; `scaled` gives it its unit.

        Args:
            known: `statistics` of the activations of at least two distinct training images, (N, q).
        """
        from sklearn.covariance import LedoitWolf

        values = known.double().cpu().numpy()
        mean, spread = values.mean(0), values.std(0)
        spread = np.maximum(spread, LEAST_SPREAD * np.median(spread) + np.finfo(np.float32).tiny)
        precision = LedoitWolf(assume_centered=True).fit((values - mean) / spread).precision_
        whitening = np.linalg.cholesky(precision) / spread[:, None]
        one = known.new_ones(1)
        return cls(torch.from_numpy(mean).to(known), torch.from_numpy(whitening).to(known), one, one)

    def measure(self, of: Outputs) -> Tensor:
        """Return the energy (n,), the mean squared whitened distance from the mean."""
        return ((of.activations - self.mean) @ self.whitening).square().mean(1)

    def scaled(self, measured: Tensor) -> ActivationModel:
        """Return the model in the unit that the energies (n,) of held-out normal images give."""
        return replace(
            self, energy=measured.mean().reshape(1), freedom=degrees_of_freedom(measured[:, None]).reshape(1)
        )

    def nats(self, measured: Tensor) -> Tensor:
        """Return the nats (n,) of energies (n,)."""
        return self.freedom / 2 * measured / self.energy

    def left_out(self, measured: Tensor, others: Tensor) -> Tensor:
        """Return the nats (n,) of held-out normal images of energies `measured`, left out of nothing.

        Without an odd image among those of the unit the spread is smaller, its nats are more, and the yardstick gets
        too long. The Gaussian never saw them.
        """
        return self.nats(measured)
