"""How surprising an image is under the normal model: -ln p(z) - ln p(x | z), each term learnt on normal images.

`_outputs` holds what the networks make of inputs, from which all is taken. `_residual` models what normal images leave
over given their reconstruction (`_nuisance`: what of it is position and exposure; `_features`: the same for flat
vectors), where a network that learnt to find foreign content sees some (`_foreign_network`, `_implants`).
`_activations` models where normal images lie among the activations of the encoder and of that network, `_latent` where
the codes of vectors lie. `_units` makes nats of both. `_scores` is the table of scores, `_volumes` makes one score of a
volume's slices, `_calibration` says how usual one is, `_shift` whether images are like those of the fit, `_regions`
where a heat map stands out, `_metrics` how well scores separate labelled images, `_located` how well heat maps fit
masks (`_overlap`).
"""

from entropix.scoring._activations import ActivationModel
from entropix.scoring._calibration import (
    PEAK,
    Calibration,
    HeldOut,
    calibrate,
    check_alpha,
    false_discovery_adjusted,
)
from entropix.scoring._features import FeatureModel
from entropix.scoring._foreign_network import ForeignNetwork, learn_foreign_content
from entropix.scoring._latent import LatentModel
from entropix.scoring._located import Located, locate
from entropix.scoring._metrics import detection_metrics
from entropix.scoring._outputs import Outputs, statistics
from entropix.scoring._overlap import Overlap, levels_of
from entropix.scoring._regions import Region, find_regions
from entropix.scoring._residual import ResidualModel
from entropix.scoring._scores import DEFAULT_SCORE, MAP, SCORES, Score, ScoreName, Terms, check_score
from entropix.scoring._shift import Shift, measure_shift, one_of_each, warn_of_shift
from entropix.scoring._volumes import aggregate, slices_of

__all__ = [
    "DEFAULT_SCORE",
    "MAP",
    "PEAK",
    "SCORES",
    "ActivationModel",
    "Calibration",
    "FeatureModel",
    "ForeignNetwork",
    "HeldOut",
    "LatentModel",
    "Located",
    "Outputs",
    "Overlap",
    "Region",
    "ResidualModel",
    "Score",
    "ScoreName",
    "Shift",
    "Terms",
    "aggregate",
    "calibrate",
    "check_alpha",
    "check_score",
    "detection_metrics",
    "false_discovery_adjusted",
    "find_regions",
    "learn_foreign_content",
    "levels_of",
    "locate",
    "measure_shift",
    "one_of_each",
    "slices_of",
    "statistics",
    "warn_of_shift",
]
