"""Which latent dimension: measured on normal images alone, from one nested autoencoder.

`curve` measures every candidate d (entropy of the reconstructions, errors, visibility of foreign content),
`choice` picks one and says why.
"""

from entropix.selection.choice import Choice, choose
from entropix.selection.curve import Curve, CurvePoint

__all__ = ["Choice", "Curve", "CurvePoint", "choose"]
