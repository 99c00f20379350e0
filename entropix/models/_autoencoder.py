"""The paper's autoencoder: four strided convolutions, a hidden layer of D units, the code, and the mirror image."""

from typing import ClassVar

import torch
from torch import nn

from entropix.models._base import ImageAutoencoder

WIDTHS = (16, 32, 64, 64)
HIDDEN = 1024  # the paper's D


class Autoencoder(ImageAutoencoder):
    """Convolutional autoencoder of Cai, Chen and Cheng (MICCAI 2024), as its public benchmark states it.

    Args:
        latent_dim: d, size of the code.
        channels: channels of the images.
        image_size: height and width of the images in pixels, a multiple of 16; the paper's is 64.

    Images are (n, channels, image_size, image_size) on [-1, 1]; there is no activation at the end.
    """

    stride: ClassVar[int] = 2 ** len(WIDTHS)

    def __init__(self, latent_dim: int, channels: int = 1, image_size: int = 64) -> None:
        super().__init__(latent_dim, channels, image_size)
        side = image_size // self.stride
        features = WIDTHS[-1] * side * side

        down = zip((channels, *WIDTHS[:-1]), WIDTHS, strict=True)
        self.encoder = nn.Sequential(
            *(_convolution(nn.Conv2d, i, o) for i, o in down),
            nn.Flatten(),
            *_dense(features, HIDDEN),
        )
        self.to_code = nn.Linear(HIDDEN, latent_dim)
        self.from_code = nn.Linear(latent_dim, HIDDEN)
        up = zip(WIDTHS[::-1], WIDTHS[-2::-1], strict=False)
        self.decoder = nn.Sequential(
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(inplace=True),
            *_dense(HIDDEN, features),
            nn.Unflatten(1, (WIDTHS[-1], side, side)),
            *(_convolution(nn.ConvTranspose2d, i, o) for i, o in up),
            nn.ConvTranspose2d(WIDTHS[0], channels, kernel_size=4, stride=2, padding=1),
        )
        # the layout in which convolutions are faster
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _convolution(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], i: int, o: int) -> nn.Sequential:
    return nn.Sequential(
        kind(i, o, kernel_size=4, stride=2, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)
    )


def _dense(i: int, o: int) -> list[nn.Module]:
    return [nn.Linear(i, o, bias=False), nn.BatchNorm1d(o), nn.ReLU(inplace=True)]
