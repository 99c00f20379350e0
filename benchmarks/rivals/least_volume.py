"""Least Volume: the code whose spread has the least volume, read through a decoder that cannot magnify.

Chen and Fuge (ICLR 2024). The loss is the mean squared error + LAMBDA times the geometric mean of (standard deviation
+ ETA) of the latents, of a batch; the decoder is 1-Lipschitz, each of its linear maps being divided by its spectral
norm, and so has no batch normalisation. LAMBDA and ETA are those of the authors' MNIST command. Latents are then
ordered by their standard deviation, and the trailing ones pruned that together explain less than 1 % of the
reconstruction (their measure; the 1 % is ours).
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from entropix._utils import in_batches
from entropix.models import Autoencoder
from entropix.models._autoencoder import HIDDEN, WIDTHS
from entropix.training import train

WIDTH = 128  # of the code, the sweep's largest d
LAMBDA, ETA = 1e-3, 1.0
UNEXPLAINED = 0.01


class LeastVolumeAutoencoder(Autoencoder):
    """The paper's autoencoder with a 1-Lipschitz decoder: ReLU between spectrally normalised linear maps."""

    def __init__(self, latent_dim: int, channels: int, image_size: int) -> None:
        super().__init__(latent_dim, channels, image_size)
        side = image_size // self.stride
        features = WIDTHS[-1] * side * side
        layers: list[nn.Module] = [nn.ReLU(), spectral_norm(nn.Linear(HIDDEN, features)), nn.ReLU()]
        layers.append(nn.Unflatten(1, (WIDTHS[-1], side, side)))
        for i, o in zip(WIDTHS[::-1], (*WIDTHS[-2::-1], channels), strict=True):
            layers += [_normalised(nn.ConvTranspose2d(i, o, kernel_size=4, stride=2, padding=1), side), nn.ReLU()]
            side *= 2
        self.from_code = spectral_norm(nn.Linear(latent_dim, HIDDEN))
        self.decoder = nn.Sequential(*layers[:-1])


class _SpectralNorm(nn.Module):
    """Divides the kernel of a transposed convolution by the norm of its map on images of one size (power method)."""

    def __init__(self, weight: Tensor, side: int) -> None:
        super().__init__()
        self.register_buffer("v", torch.randn(1, weight.shape[0], side, side))
        self._iterate(weight, 100)

    def forward(self, weight: Tensor) -> Tensor:
        if self.training:
            self._iterate(weight, 1)
        # clones: the power method changes the buffers in place, and the gradient needs what they were
        return weight / _map(self.v.clone(), weight).norm()

    @torch.no_grad()
    def _iterate(self, weight: Tensor, times: int) -> None:
        for _ in range(times):
            u = _map(self.v, weight)
            v = nn.functional.conv2d(u / u.norm(), weight, stride=2, padding=1)
            self.v.copy_(v / v.norm())


def _map(v: Tensor, weight: Tensor) -> Tensor:
    return nn.functional.conv_transpose2d(v, weight, stride=2, padding=1)


def _normalised(layer: nn.ConvTranspose2d, side: int) -> nn.Module:
    return parametrize.register_parametrization(layer, "weight", _SpectralNorm(layer.weight, side))


def train_least_volume(images: Tensor, *, epochs: int, seed: int) -> LeastVolumeAutoencoder:
    """Trained on images (n, c, s, s) on [-1, 1]."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LeastVolumeAutoencoder(WIDTH, images.shape[1], images.shape[-1]).to(images.device)

    def objective(batch: Tensor, _: torch.Generator) -> Tensor:
        z = model.encode(batch)
        volume = (z.std(0) + ETA).log().mean().exp()
        return nn.functional.mse_loss(model.decode(z), batch) + LAMBDA * volume

    train(model, images, objective, epochs=epochs, seed=seed)
    return model


@torch.no_grad()
def pruned_dimension(model: Autoencoder, images: Tensor) -> int:
    """Latents left when those of least standard deviation, set to their means, are pruned."""
    z = in_batches(model.encode, images)
    mean, order = z.mean(0), z.std(0).argsort(descending=True)

    def error(kept: int) -> float:
        changed = mean.expand_as(z).clone()
        changed[:, order[:kept]] = z[:, order[:kept]]
        return (in_batches(model.decode, changed) - images).square().mean().item()

    least, most = error(z.shape[1]), error(0)
    # the explained share falls with what is kept but for noise: the first that is small enough, from below
    return next(d for d in range(1, z.shape[1] + 1) if error(d) - least <= UNEXPLAINED * (most - least))
