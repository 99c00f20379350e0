"""The choice of the latent dimension: measured on normal images alone, from one nested autoencoder.

`_curve` measures every candidate d (entropy of the reconstructions, errors, visibility of foreign content, which
`_perturbations` makes), `_choice` picks one and says why. `_learnt` says
where the training was too short for that.
"""

from entropix.selection._choice import Choice, choose
from entropix.selection._curve import MEASURED_IMAGES, Curve, CurvePoint, ImageEntropy, Prefixes
from entropix.selection._learnt import has_not_learnt, worse_than_mean

__all__ = [
    "MEASURED_IMAGES",
    "Choice",
    "Curve",
    "CurvePoint",
    "ImageEntropy",
    "Prefixes",
    "choose",
    "has_not_learnt",
    "worse_than_mean",
]
