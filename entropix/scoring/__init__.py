"""How surprising an image is under the normal model: -ln p(z) - ln p(x | z), each term learnt on normal images.

`residual` models what normal images leave over given their reconstruction (`nuisance`: what of it is position and
exposure; `features`: the same for flat vectors), `latent` where their codes lie.
Both are set by held-out normal images, which the autoencoder was not trained on; the codes that the second
compares with are those of the training images.
"""

from entropix.scoring.features import FeatureModel
from entropix.scoring.latent import LatentModel
from entropix.scoring.residual import ResidualModel

__all__ = ["FeatureModel", "LatentModel", "ResidualModel"]
