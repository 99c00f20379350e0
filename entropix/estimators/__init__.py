"""Entropy, information and intrinsic dimension from nearest neighbours, for arrays and tensors.

Everything here knows samples (n, d) only. Results carry their standard error, a 95 % interval, and what the
data suffered from; see `results`.
"""

from entropix.estimators._inputs import EstimatorWarning
from entropix.estimators.differential_entropy import entropy
from entropix.estimators.dimension import intrinsic_dimension
from entropix.estimators.divergence import kl_divergence
from entropix.estimators.information import conditional_mutual_information, mutual_information, total_correlation
from entropix.estimators.results import Entropy, Information, IntrinsicDimension
from entropix.estimators.twins import Twins, merge_twins

__all__ = [
    "Entropy",
    "EstimatorWarning",
    "Information",
    "IntrinsicDimension",
    "Twins",
    "conditional_mutual_information",
    "entropy",
    "intrinsic_dimension",
    "kl_divergence",
    "merge_twins",
    "mutual_information",
    "total_correlation",
]
