"""AE-U: an autoencoder that also predicts how uncertain each pixel of its reconstruction is.

Mao, Xue, Wang, Zhang, Zheng and Liu (MICCAI 2020): the last layer gives a mean and ln sigma^2 for every pixel, trained
by residual^2 / sigma^2 + ln sigma^2. The score is the first of the two terms alone, as in the authors' code.
"""

import torch
from torch import Tensor, nn

from entropix.models import Autoencoder
from entropix.models._autoencoder import WIDTHS
from entropix.training import train


class UncertaintyAutoencoder(Autoencoder):
    """The paper's autoencoder with twice the channels at its end: images and ln sigma^2."""

    def __init__(self, latent_dim: int, channels: int, image_size: int) -> None:
        super().__init__(latent_dim, channels, image_size)
        self.decoder[-1] = nn.ConvTranspose2d(WIDTHS[0], 2 * channels, kernel_size=4, stride=2, padding=1)

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """residual^2 / sigma^2 and ln sigma^2, (n, c, s, s) each."""
        mean, log_variance = self(x).chunk(2, dim=1)
        return (x - mean).square() * (-log_variance).exp(), log_variance


def train_uncertainty(images: Tensor, latent_dim: int, *, epochs: int, seed: int) -> UncertaintyAutoencoder:
    """Trained on images (n, c, s, s) on [-1, 1]."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = UncertaintyAutoencoder(latent_dim, images.shape[1], images.shape[-1]).to(images.device)

    def objective(batch: Tensor, _: torch.Generator) -> Tensor:
        relative, log_variance = model.terms(batch)
        return relative.mean() + log_variance.mean()

    train(model, images, objective, epochs=epochs, seed=seed)
    return model
