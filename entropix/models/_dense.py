"""An autoencoder of flat feature vectors."""

from torch import Tensor, nn

from entropix.models._base import BaseAutoencoder

NARROWEST, WIDEST = 32, 512  # units of a hidden layer


class DenseAutoencoder(BaseAutoencoder):
    """An autoencoder of vectors, with one hidden layer on each side of the code.

    These layers are four times as wide as the input, but have between 32 and 512 units.

    Args:
        latent_dim: d, size of the code.
        n_features: p, length of the vectors; they are (n, p), each feature of about unit variance.
    """

    def __init__(self, latent_dim: int, n_features: int) -> None:
        super().__init__()
        self.latent_dim, self.n_features = latent_dim, n_features
        self.config = {"latent_dim": latent_dim, "n_features": n_features}
        hidden = min(WIDEST, max(NARROWEST, 4 * n_features))
        self.encoder = nn.Sequential(nn.Linear(n_features, hidden), nn.GELU())
        self.to_code = nn.Linear(hidden, latent_dim)
        self.decoder = nn.Sequential(nn.Linear(latent_dim, hidden), nn.GELU(), nn.Linear(hidden, n_features))

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (n, latent_dim) of vectors x (n, n_features)."""
        return self.to_code(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Return the vectors (n, n_features) of codes z (n, latent_dim)."""
        return self.decoder(z)
