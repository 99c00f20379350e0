"""How surprising an image is under the normal model: -ln p(z) - ln p(x | z), each term learnt on normal images.

`residual` models what normal images leave over given their reconstruction, `latent` where their codes lie.
Both are fitted on held-out normal images, which the autoencoder was not trained on.
"""

from entropix.scoring.latent import LatentModel
from entropix.scoring.residual import ResidualModel

__all__ = ["LatentModel", "ResidualModel"]
