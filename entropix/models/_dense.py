"""An autoencoder of flat feature vectors."""

from torch import Tensor, nn

NARROWEST, WIDEST = 32, 512  # of the hidden layers


class DenseAutoencoder(nn.Module):
    """One hidden layer on each side of the code, four times as wide as the input within bounds.

    Args:
        latent_dim: d, size of the code.
        n_features: p, length of the vectors; they are (n, p), each feature of about unit variance.
    """

    def __init__(self, latent_dim: int, n_features: int) -> None:
        super().__init__()
        self.latent_dim, self.n_features = latent_dim, n_features
        hidden = min(WIDEST, max(NARROWEST, 4 * n_features))
        self.encoder = nn.Sequential(nn.Linear(n_features, hidden), nn.GELU())
        self.to_code = nn.Linear(hidden, latent_dim)
        self.decoder = nn.Sequential(nn.Linear(latent_dim, hidden), nn.GELU(), nn.Linear(hidden, n_features))

    def encode(self, x: Tensor) -> Tensor:
        """Codes (n, latent_dim) of vectors (n, n_features)."""
        return self.to_code(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Vectors (n, n_features) of codes (n, latent_dim)."""
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))
