"""Training of the scale network.

It is trained on what the training images leave over: a Gaussian residual of the scale s = factor x closed form costs
r^2 / (2 s^2) + ln s nats (Nix and Weigend 1994; for pixels Kendall and Gal 2017, for anomalies Mao et al. 2020).

The autoencoder knows the training images, so their residuals are too small, and at some places more than at others.
Only the factor is learnt on them; the closed form, all levels and the calibration are those of held-out images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from entropix._utils import INFERENCE_BATCH, seeded
from entropix.scoring._nuisance import explain
from entropix.scoring._residual import ResidualModel
from entropix.scoring._scale_network import ScaleNetwork
from entropix.scoring._scale_space import contrast_of, gradient_of
from entropix.training import train

LEARNT_IMAGES = 1000  # training images that the network learns from
EPOCHS = 20  # passes over them; 60 overfit four hundred textures


def learn_scale(x: Tensor, x_hat: Tensor, seed: int) -> ScaleNetwork:
    """Train a scale network on training images, and return it without gradients.

    Args:
        x: at least 64 distinct training images (n, c, s, s) on [-1, 1], in random order; the first 1,000 are used.
        x_hat: their reconstructions (n, c, s, s).
        seed: seed of the initial weights and of the training.
    """
    x, x_hat = x[:LEARNT_IMAGES], x_hat[:LEARNT_IMAGES]
    model = ResidualModel.fit(x, x_hat)
    batches = zip(x.split(INFERENCE_BATCH), x_hat.split(INFERENCE_BATCH), strict=True)
    rest = torch.cat([explain(one - hat, hat).rest for one, hat in batches])
    with seeded(seed):
        network = ScaleNetwork(x.shape[1], x.shape[-1]).to(x.device)

    def code_length(batch: Tensor, _: torch.Generator) -> Tensor:
        """Return the nats of a sample up to a constant, averaged over levels."""
        rest, x_hat = batch.chunk(2, dim=1)
        squares = model.squares(rest, x_hat)
        factors = network(x_hat, gradient_of(x_hat), contrast_of(x_hat))
        nats = [
            (square / energy * (-2 * log_factor).exp() / 2 + log_factor).mean()
            for square, energy, log_factor in zip(squares, model.energy[:-1], factors, strict=True)
        ]
        return torch.stack(nats).mean()

    train(network, torch.cat([rest, x_hat], 1), code_length, epochs=EPOCHS, seed=seed, one_cycle=True)
    return network.requires_grad_(False)
