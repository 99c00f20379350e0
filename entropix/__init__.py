"""entropix: autoencoder anomaly detection whose latent dimension follows the entropy of normal images."""

__version__ = "0.1.0"
