"""Autoencoders as plain `nn.Module`s; they know nothing of data sets, training or scores."""

from entropix.models.autoencoder import Autoencoder, NestedAutoencoder
from entropix.models.dense import DenseAutoencoder
from entropix.models.stack import Stack
from entropix.models.vae import VariationalAutoencoder

__all__ = ["Autoencoder", "DenseAutoencoder", "NestedAutoencoder", "Stack", "VariationalAutoencoder"]
