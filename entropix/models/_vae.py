"""The variational variant of the paper's autoencoder, its baseline in Table 2."""

import torch
from torch import Tensor, nn

from entropix.models._autoencoder import HIDDEN, Autoencoder

DIVERGENCE_WEIGHT = 0.005  # in the paper's public benchmark


class VariationalAutoencoder(Autoencoder):
    """`Autoencoder` whose encoder also gives the variance of each latent (Kingma and Welling 2014).

    In training the code is drawn from N(mean, variance); in evaluation it is the mean, so that an image has one score.
    """

    def __init__(self, latent_dim: int, channels: int = 1, image_size: int = 64) -> None:
        super().__init__(latent_dim, channels, image_size)
        self.to_log_variance = nn.Linear(HIDDEN, latent_dim)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the codes, (n, latent_dim) each, of images (n, c, s, s)."""
        hidden = self.encoder(x)
        return self.to_code(hidden), self.to_log_variance(hidden)

    def negative_elbo(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The objective as the paper's benchmark states it, a scalar, of images x (n, c, s, s).

        Mean squared error over pixels + `DIVERGENCE_WEIGHT` times the mean divergence over latents; codes are drawn
        with the generator, which is on the CPU.
        """
        mean, log_variance = self.posterior(x)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        reconstruction = self.decode(mean + noise * (0.5 * log_variance).exp())
        error = nn.functional.mse_loss(reconstruction, x)
        return error + DIVERGENCE_WEIGHT * divergence(mean, log_variance).mean()

    def plain(self) -> Autoencoder:
        """What it is in evaluation: the paper's autoencoder, whose code is the mean (weights copied)."""
        model = Autoencoder(self.latent_dim, self.channels, self.image_size)
        state = self.state_dict()
        model.load_state_dict({name: state[name].clone() for name in model.state_dict()})
        return model.to(self.to_code.weight.device).train(self.training)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence in nats, (n, d), of N(mean, variance) from N(0, 1), latent by latent."""
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance)
