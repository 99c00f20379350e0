"""Autoencoders as plain `nn.Module`s; they know nothing of data sets, training or scores.

_base         what all have in common: `BaseAutoencoder`, and `ImageAutoencoder` for images.
_autoencoder  the paper's convolutional one.
_dense        for flat feature vectors.
_vae          the paper's variational one, which training turns into a plain one.
_batched      several that differ in the size of their codes, computed as one network.

`ARCHITECTURES` has the names by which `entropix.fit` and model folders know them.
"""

from typing import TYPE_CHECKING

from entropix._utils import moved_names
from entropix.models._autoencoder import Autoencoder
from entropix.models._base import BaseAutoencoder, ImageAutoencoder
from entropix.models._batched import BatchedAutoencoders
from entropix.models._dense import DenseAutoencoder
from entropix.models._vae import VariationalAutoencoder

ARCHITECTURES: dict[str, type[ImageAutoencoder] | type[DenseAutoencoder]] = {
    "convolutional": Autoencoder,
    "dense": DenseAutoencoder,
}

__all__ = [
    "ARCHITECTURES",
    "Autoencoder",
    "BaseAutoencoder",
    "BatchedAutoencoders",
    "DenseAutoencoder",
    "ImageAutoencoder",
    "VariationalAutoencoder",
]

if not TYPE_CHECKING:  # type checkers know the new names only
    __getattr__ = moved_names(__name__, {"Stack": "BatchedAutoencoders"})
