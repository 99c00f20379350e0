"""Autoencoders as plain `nn.Module`s; they know nothing of data sets, training or scores."""

from entropix.models.autoencoder import Autoencoder, NestedAutoencoder

__all__ = ["Autoencoder", "NestedAutoencoder"]
