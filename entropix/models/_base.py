"""The interface of autoencoders to the rest of entropix, and the parts that all of them share.

A new architecture is a file beside this one with a subclass of `ImageAutoencoder`, and a line in `ARCHITECTURES`. The
subclass makes four modules; everything that is done to a code (prefixes, cutting, other axes) is here.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from entropix._utils import seeded

Same = TypeVar("Same", bound="ImageAutoencoder")


class BaseAutoencoder(nn.Module):
    """An autoencoder of inputs (n, ...) with codes (n, latent_dim).

    Attributes:
        latent_dim: d, the size of the code.
        config: the arguments of the constructor, of those in `ARCHITECTURES`: `type(model)(**model.config)` has the
            same shape.
    """

    latent_dim: int
    config: dict[str, int]

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (n, latent_dim) of inputs x (n, ...)."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """Return the reconstructions (n, ...) of codes z (n, latent_dim)."""
        raise NotImplementedError

    def encode_in_stages(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the codes of inputs x, and what the encoder makes of x on its way there, (n, channels, h, w) each."""
        return self.encode(x), []

    def decode_prefix(self, z: Tensor, d: int | Tensor) -> Tensor:
        """Return the reconstructions (n, ...) of the first d latents of codes z; the others are taken as zero.

        Args:
            z: codes (n, latent_dim).
            d: a number, or one for each code, (n,).
        """
        d = torch.as_tensor(d, device=z.device).reshape(-1, 1)
        return self.decode(z * (torch.arange(z.shape[1], device=z.device) < d))

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstructions (n, ...) of inputs x (n, ...)."""
        return self.decode(self.encode(x))

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device


class ImageAutoencoder(BaseAutoencoder):
    """An autoencoder of images (n, channels, image_size, image_size) on [-1, 1], its code between two linear layers.

    Args:
        latent_dim: d, size of the code.
        channels: channels of the images.
        image_size: height and width of the images in pixels, a multiple of `stride`.

    A subclass makes `encoder` (images to hidden units), `to_code` and `from_code` (linear, hidden units to the code and
    back), and `decoder` (hidden units to images). Its constructor takes these three arguments and no others, and
    all that it computes is in `state_dict()` (no buffers with `persistent=False`): a model folder holds nothing else.

    Raises:
        ValueError: `image_size` is no positive multiple of `stride`, or `latent_dim` is below 1.
    """

    stride: ClassVar[int] = 1
    encoder: nn.Module
    to_code: nn.Linear
    from_code: nn.Linear
    decoder: nn.Module

    def __init__(self, latent_dim: int, channels: int = 1, image_size: int = 64) -> None:
        super().__init__()
        if image_size < self.stride or image_size % self.stride:
            raise ValueError(f"image_size must be a positive multiple of {self.stride}, got {image_size}")
        if latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1, got {latent_dim}")
        self.latent_dim, self.channels, self.image_size = latent_dim, channels, image_size
        self.config = {"latent_dim": latent_dim, "channels": channels, "image_size": image_size}

    def encode(self, x: Tensor) -> Tensor:
        return self.to_code(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.from_code(z))

    def encode_in_stages(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the codes and the outputs (n, channels, h, w) of the encoder's stages, if it is a Sequential."""
        if not isinstance(self.encoder, nn.Sequential):
            return self.encode(x), []
        found = []
        for stage in self.encoder:
            x = stage(x)
            if x.ndim == 4:
                found.append(x)
        return self.to_code(x), found

    def truncate(self: Same, latent_dim: int) -> Same:
        """Return the autoencoder whose code is the first `latent_dim` latents of this one (weights copied).

        Raises:
            ValueError: `latent_dim` is below 1 or above that of this autoencoder.
        """
        if not 1 <= latent_dim <= self.latent_dim:
            raise ValueError(f"latent_dim must be between 1 and {self.latent_dim}, got {latent_dim}")
        changed = {
            "to_code.weight": self.to_code.weight[:latent_dim],
            "to_code.bias": self.to_code.bias[:latent_dim],
            "from_code.weight": self.from_code.weight[:, :latent_dim],
        }
        return self._with_code(latent_dim, changed).train(self.training)

    def with_axes(self: Same, into: Tensor, out: Tensor, centre: Tensor) -> Same:
        """Return the autoencoder whose codes are into (z - centre), z being those of this one.

        The axes go into the linear layers.

        Args:
            into: (d, latent_dim).
            out: (latent_dim, d), the way back from a code to z - centre.
            centre: (latent_dim,).
        """
        changed = {
            "to_code.weight": into @ self.to_code.weight,
            "to_code.bias": into @ (self.to_code.bias - centre),
            "from_code.weight": self.from_code.weight @ out,
            "from_code.bias": self.from_code.bias + self.from_code.weight @ centre,
        }
        return self._with_code(len(into), changed).eval()

    def _with_code(self: Same, latent_dim: int, changed: dict[str, Tensor]) -> Same:
        """Return a copy with another size of the code and some other tensors."""
        config: dict[str, Any] = self.config | {"latent_dim": latent_dim}
        with seeded(0):  # the caller's random numbers stay as they are
            model = type(self)(**config).to(self.device)
        model.load_state_dict({name: changed.get(name, tensor) for name, tensor in self.state_dict().items()})
        return model
