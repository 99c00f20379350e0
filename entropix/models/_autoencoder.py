"""The paper's autoencoder and its nested variant.

Both are one network: four strided convolutions, a hidden layer of D units, the code, and the mirror image.
The nested one is trained so that every prefix z_1..z_d of its code is a code of its own (nested dropout,
Rippel, Gelbart and Adams 2014): one training stands for the paper's sweep over d, and cutting its two
linear layers at d gives back exactly the paper's network of latent dimension d.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64, 64)
HIDDEN = 1024  # the paper's D
STRIDE = 2 ** len(WIDTHS)


class Autoencoder(nn.Module):
    """Convolutional autoencoder of Cai, Chen and Cheng (MICCAI 2024), as its public benchmark states it.

    Args:
        latent_dim: d, size of the code.
        channels: channels of the images.
        image_size: height and width of the images in pixels, a multiple of 16; the paper's is 64.

    Images are (n, channels, image_size, image_size) on [-1, 1]; there is no activation at the end.
    """

    def __init__(self, latent_dim: int, channels: int = 1, image_size: int = 64) -> None:
        super().__init__()
        if image_size < STRIDE or image_size % STRIDE:
            raise ValueError(f"image_size must be a positive multiple of {STRIDE}, got {image_size}")
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.latent_dim, self.channels, self.image_size = latent_dim, channels, image_size
        side = image_size // STRIDE
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

    def encode(self, x: Tensor) -> Tensor:
        """Codes (n, latent_dim) of images (n, channels, image_size, image_size)."""
        return self.to_code(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Images (n, channels, image_size, image_size) of codes (n, latent_dim)."""
        return self.decoder(self.from_code(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class NestedAutoencoder(Autoencoder):
    """The same network, trained on random prefixes of its code so that the latents are ordered by use.

    Args:
        dims: the prefix lengths that training visits, ascending; the last is the size of the full code.
    """

    def __init__(self, dims: Sequence[int], channels: int = 1, image_size: int = 64) -> None:
        dims = sorted(set(dims))
        super().__init__(dims[-1], channels, image_size)
        self.dims = tuple(dims)

    def decode_prefix(self, z: Tensor, d: int | Tensor) -> Tensor:
        """Images (n, c, h, w) of the first d latents of codes (n, latent_dim); d is a number or one per row (n,)."""
        d = torch.as_tensor(d, device=z.device).reshape(-1, 1)
        return self.decode(z * (torch.arange(z.shape[1], device=z.device) < d))

    def truncate(self, latent_dim: int) -> Autoencoder:
        """The paper's autoencoder whose code is the first `latent_dim` latents of this one (weights copied)."""
        if not 1 <= latent_dim <= self.latent_dim:
            raise ValueError(f"latent_dim must be between 1 and {self.latent_dim}, got {latent_dim}")
        cut = Autoencoder(latent_dim, self.channels, self.image_size)
        state = {name: value.clone() for name, value in self.state_dict().items()}
        state["to_code.weight"] = state["to_code.weight"][:latent_dim]
        state["to_code.bias"] = state["to_code.bias"][:latent_dim]
        state["from_code.weight"] = state["from_code.weight"][:, :latent_dim]
        cut.load_state_dict(state)
        return cut.to(self.to_code.weight.device).train(self.training)


def _convolution(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], i: int, o: int) -> nn.Sequential:
    return nn.Sequential(
        kind(i, o, kernel_size=4, stride=2, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)
    )


def _dense(i: int, o: int) -> list[nn.Module]:
    return [nn.Linear(i, o, bias=False), nn.BatchNorm1d(o), nn.ReLU(inplace=True)]
