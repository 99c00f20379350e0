"""A learned factor of the residual's expected scale: what edges, place and contrast don't say about it.

Whether an edge of the reconstruction is where it should be depends on what the edge belongs to: a rib is often off, a
spine is not. A small convolutional network sees the reconstruction and gives the logarithm of a factor for every place
and octave, trained on what the training images leave over: a Gaussian residual of the scale s = factor x closed form
costs r^2 / (2 s^2) + ln s nats (Nix and Weigend 1994; for pixels Kendall and Gal 2017, for anomalies Mao et al. 2020).

The autoencoder knows the training images, so their residuals are too small, and at some places more than at others.
Only the factor is learnt on them; the closed form, all levels and the calibration are those of held-out images.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from entropix.batches import BATCH_SIZE
from entropix.scoring.nuisance import explain
from entropix.scoring.octaves import contrast_of, gradient_of, octaves
from entropix.scoring.residual import ResidualModel
from entropix.training import train

MOST_IMAGES = 1000  # to learn from
EPOCHS = 20  # over them; 60 overfit four hundred textures
WIDTH = 8
STRIDE = 4  # pixels; what the factor depends on is not finer than that
LEAST_GRADIENT = 1e-2  # in contrasts; its logarithm counts


class ScaleNetwork(nn.Module):
    """Reconstructions (n, c, s, s) to ln(factor) at the samples of every octave, a list of (n, c, samples).

    Sees the image in units of its contrast, the logarithm of its gradient, and the place, so that no gain matters.
    """

    def __init__(self, channels: int, image_size: int) -> None:
        super().__init__()
        outputs = channels * len(octaves(image_size))
        self.network = nn.Sequential(
            nn.Conv2d(2 * channels + 3, WIDTH, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=4, dilation=4),
            nn.ReLU(),
            nn.Conv2d(WIDTH, outputs, 1),
        )
        last = self.network[-1]
        for parameter in last.parameters():
            nn.init.zeros_(parameter)  # to begin with, the factor is one

    def forward(self, x_hat: Tensor, gradient: Tensor, contrast: Tensor) -> list[Tensor]:
        """Gradient and contrast as of `gradient_of` and `contrast_of`, which the caller needs too."""
        n, channels, size, _ = x_hat.shape
        contrast = contrast[..., None]
        image = (x_hat - x_hat.mean((1, 2, 3), keepdim=True)) / contrast
        edges = (gradient / contrast + LEAST_GRADIENT).log()
        line = torch.linspace(-1, 1, size, dtype=x_hat.dtype, device=x_hat.device)
        across, down = line.expand(size, size), line[:, None].expand(size, size)
        place = torch.stack([across, down, across.square() + down.square()]).expand(n, -1, -1, -1)
        coarse = self.network(F.avg_pool2d(torch.cat([image, edges, place], 1), STRIDE))
        # bilinear to the pixels, then to the samples: one product
        cells = torch.eye(size // STRIDE, dtype=x_hat.dtype, device=x_hat.device)
        fine = F.interpolate(cells[None], size=size, mode="linear")[0].T
        factors = []
        for octave, part in zip(octaves(size), coarse.split(channels, 1), strict=True):
            weights = octave.weights(x_hat) @ fine
            factors.append((weights @ (part @ weights.T)).flatten(2))
        return factors


def learn_scale(x: Tensor, x_hat: Tensor, seed: int) -> ScaleNetwork:
    """From distinct training images and their reconstructions, both (n, c, s, s), in random order, at least 64."""
    x, x_hat = x[:MOST_IMAGES], x_hat[:MOST_IMAGES]
    model = ResidualModel.fit(x, x_hat)
    batches = zip(x.split(BATCH_SIZE), x_hat.split(BATCH_SIZE), strict=True)
    rest = torch.cat([explain(one - hat, hat).rest for one, hat in batches])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = ScaleNetwork(x.shape[1], x.shape[-1]).to(x.device)

    def code_length(batch: Tensor, _: torch.Generator) -> Tensor:
        """Nats of a sample, but for a constant, averaged over octaves."""
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
