"""Autoencoders as plain `nn.Module`s; they know nothing of data sets, training or scores."""

from entropix.models._autoencoder import STRIDE, Autoencoder, NestedAutoencoder
from entropix.models._batched import Stack
from entropix.models._dense import DenseAutoencoder
from entropix.models._vae import VariationalAutoencoder

__all__ = ["STRIDE", "Autoencoder", "DenseAutoencoder", "NestedAutoencoder", "Stack", "VariationalAutoencoder"]
