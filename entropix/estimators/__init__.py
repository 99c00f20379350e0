"""Entropy, information and intrinsic dimension from nearest neighbours, for arrays and tensors.

Everything here knows samples (n, d) only. Results carry their standard error, a 95 % interval, and what the
data suffered from; see `results`.
"""

from entropix.estimators._inputs import EstimatorWarning
from entropix.estimators.entropy import entropy
from entropix.estimators.intrinsic_dimension import intrinsic_dimension
from entropix.estimators.results import Entropy, Information, IntrinsicDimension
from entropix.estimators.twins import Twins, merge_twins

__all__ = [
    "Entropy",
    "EstimatorWarning",
    "Information",
    "IntrinsicDimension",
    "Twins",
    "entropy",
    "intrinsic_dimension",
    "merge_twins",
]
