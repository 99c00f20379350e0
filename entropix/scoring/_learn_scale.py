"""Training of the scale network.

It is trained on what the training images leave over: a Gaussian residual of the scale s = factor x closed form costs
r^2 / (2 s^2) + ln s nats (Nix and Weigend 1994; for pixels Kendall and Gal 2017, for anomalies Mao et al. 2020).

The autoencoder knows the training images, so their residuals are too small, and at some places more than at others.
Only the factor is learnt on them; the closed form, all levels and the calibration are those of held-out images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from entropix._utils import INFERENCE_BATCH
from entropix.scoring._nuisance import explain
from entropix.scoring._residual import ResidualModel
from entropix.scoring._scale_network import ScaleNetwork
from entropix.scoring._scale_space import contrast_of, gradient_of
from entropix.training import train

LEARNT_IMAGES = 1000  # to learn from
EPOCHS = 20  # over them; 60 overfit four hundred textures


def learn_scale(x: Tensor, x_hat: Tensor, seed: int) -> ScaleNetwork:
    """From distinct training images and their reconstructions, both (n, c, s, s), in random order, at least 64."""
    x, x_hat = x[:LEARNT_IMAGES], x_hat[:LEARNT_IMAGES]
    model = ResidualModel.fit(x, x_hat)
    batches = zip(x.split(INFERENCE_BATCH), x_hat.split(INFERENCE_BATCH), strict=True)
    rest = torch.cat([explain(one - hat, hat).rest for one, hat in batches])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = ScaleNetwork(x.shape[1], x.shape[-1]).to(x.device)

    def code_length(batch: Tensor, _: torch.Generator) -> Tensor:
        """Nats of a sample, but for a constant, averaged over levels."""
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
