"""The network that gives a factor of the residual's expected scale, where edges, place and contrast do not tell it.

Whether an edge of the reconstruction is where it should be depends on what the edge belongs to: a rib is often off, a
spine is not. A small convolutional network sees the reconstruction and gives the logarithm of a factor for every place
and level of the scale space. `_learn_scale` trains it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from entropix.scoring._scale_space import scale_space

WIDTH = 8
STRIDE = 4  # pixels; the factor depends on nothing finer
LEAST_GRADIENT = 1e-2  # added to the gradient, in units of the contrast, before its logarithm is taken


class ScaleNetwork(nn.Module):
    """A network from reconstructions (n, c, s, s) to ln(factor) at the samples of every level.

    It sees the image in units of its contrast, the logarithm of its gradient, and the place, so that no gain matters.
    """

    def __init__(self, channels: int, image_size: int) -> None:
        super().__init__()
        outputs = channels * len(scale_space(image_size))
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
        """Return ln(factor) at the samples of every level, a list of (n, c, samples).

        Args:
            x_hat: reconstructions (n, c, s, s).
            gradient: their gradient (n, c, s, s), by `gradient_of`; an argument because the caller needs it too.
            contrast: their contrast (n, 1, 1), by `contrast_of`.
        """
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
        for level, part in zip(scale_space(size), coarse.split(channels, 1), strict=True):
            weights = level.weights(x_hat) @ fine
            factors.append((weights @ (part @ weights.T)).flatten(2))
        return factors
