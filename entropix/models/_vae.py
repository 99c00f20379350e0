"""The variational variant of the paper's autoencoder, its baseline in Table 2."""

import torch
from torch import Tensor, nn

from entropix._utils import seeded
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
        """Return the mean and the log variance, (n, latent_dim) each, of the codes of images x (n, c, s, s)."""
        hidden = self.encoder(x)
        return self.to_code(hidden), self.to_log_variance(hidden)

    def negative_elbo(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the objective as the paper's benchmark states it, a scalar.

        It is the mean squared error over pixels + 0.005 times the mean divergence over latents.

        Args:
            x: images (n, c, s, s).
            generator: draws the codes; on the CPU.
        """
        mean, log_variance = self.posterior(x)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        reconstruction = self.decode(mean + noise * (0.5 * log_variance).exp())
        error = nn.functional.mse_loss(reconstruction, x)
        return error + DIVERGENCE_WEIGHT * divergence(mean, log_variance).mean()

    def plain(self) -> Autoencoder:
        """Return what this is in evaluation: the paper's autoencoder, whose code is the mean (weights copied)."""
        with seeded(0):  # as in `_with_code`
            model = Autoencoder(**self.config)
        state = self.state_dict()
        model.load_state_dict({name: state[name].clone() for name in model.state_dict()})
        return model.to(self.device).train(self.training)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the KL divergence in nats, (n, d), of N(mean, variance) from N(0, 1), latent by latent."""
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance)
