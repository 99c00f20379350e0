"""How surprising an image is under the normal model: -ln p(z) - ln p(x | z), each term learnt on normal images.

`_residual` models what normal images leave over given their reconstruction (`_nuisance`: what of it is position and
exposure; `_scale_space`: at which resolution; `_scale_network`, `_learn_scale`: what a network expects of the rest;
`_features`: the same for flat vectors), `_latent` where their codes lie. Both are set by held-out normal images, which
the autoencoder was not trained on; the network learns on training images, whose codes are those that the second term
compares with. `_scores` is the table of scores, `_calibration` says how usual one is, `_regions` where a heat map
stands out, `_metrics` how well scores separate labelled images.
"""

from entropix.scoring._calibration import PEAK, Calibration, FitResiduals, HeldOut, calibrate, check_alpha
from entropix.scoring._features import FeatureModel
from entropix.scoring._latent import LatentModel
from entropix.scoring._learn_scale import LEARNT_IMAGES, learn_scale
from entropix.scoring._metrics import detection_metrics
from entropix.scoring._regions import Region, find_regions
from entropix.scoring._residual import ResidualModel
from entropix.scoring._scale_network import ScaleNetwork
from entropix.scoring._scores import DEFAULT_SCORE, SCORES, Score, ScoreName, Terms, check_score

__all__ = [
    "DEFAULT_SCORE",
    "LEARNT_IMAGES",
    "PEAK",
    "SCORES",
    "Calibration",
    "FeatureModel",
    "FitResiduals",
    "HeldOut",
    "LatentModel",
    "Region",
    "ResidualModel",
    "ScaleNetwork",
    "Score",
    "ScoreName",
    "Terms",
    "calibrate",
    "check_alpha",
    "check_score",
    "detection_metrics",
    "find_regions",
    "learn_scale",
]
