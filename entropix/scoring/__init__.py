"""How surprising an image is under the normal model: -ln p(z) - ln p(x | z), each term learnt on normal images.

`residual` models what normal images leave over given their reconstruction (`nuisance`: what of it is position and
exposure; `expectation`: what a network expects of the rest; `features`: the same for flat vectors), `latent` where
their codes lie. Both are set by held-out normal images, which the autoencoder was not trained on; the network learns on
training images, whose codes are those that the second term compares with.
"""

from entropix.scoring.expectation import ScaleNetwork, learn_scale
from entropix.scoring.features import FeatureModel
from entropix.scoring.latent import LatentModel
from entropix.scoring.residual import ResidualModel

__all__ = ["FeatureModel", "LatentModel", "ResidualModel", "ScaleNetwork", "learn_scale"]
