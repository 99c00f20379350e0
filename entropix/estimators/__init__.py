"""Entropy, information and intrinsic dimension from nearest neighbours, for arrays and tensors.

Everything here knows samples (n, d) only. Results carry their standard error, a 95 % interval, and what the data
suffered from; see `Estimate`.

_entropy, _information, _divergence, _dimension   the public functions.
_results                                          what they return.
_inputs                                           checks of what they are given.
_kozachenko_leonenko, _ksg                        the estimates from neighbours behind them, point by point.
_controlled, _copula, _normal_pair                less the error that they make on a model of the data.
_dependent_rows                                   groups of rows, and dependence that shows without them.
_labels, _matrix, _permutation                    class labels, many variables, tests of independence.
_structured, _normalising_maps, _mixture,
_unmixing, _marginals                             entropy in many dimensions: maps to independent coordinates.
_normal_reference                                 what neighbour distances look like in a normal sample.
_neighbours                                       neighbours in double precision, at the price of single.
_duplicates                                       which rows are duplicates of others.
_subspace, _signal_space                          the subspace that rows span; the one that stands out of noise.
_distributed                                      entropy of rows that lie in several processes.
"""

from typing import TYPE_CHECKING

from entropix._utils import moved_names
from entropix.estimators._dimension import DimensionMethod, intrinsic_dimension
from entropix.estimators._distributed import DistributedMethod, distributed_entropy
from entropix.estimators._divergence import kl_divergence
from entropix.estimators._duplicates import Duplicates, find_copies, merge_duplicates
from entropix.estimators._entropy import EntropyMethod, entropy
from entropix.estimators._information import (
    InformationMethod,
    conditional_mutual_information,
    mutual_information,
    total_correlation,
)
from entropix.estimators._kozachenko_leonenko import kl_local, log_radii
from entropix.estimators._labels import discrete_entropy
from entropix.estimators._matrix import InformationMatrix, information_scores, mutual_information_matrix
from entropix.estimators._normal_reference import log_unit_ball
from entropix.estimators._results import Entropy, Estimate, Information, IntrinsicDimension
from entropix.estimators._signal_space import SignalSpace
from entropix.exceptions import EstimatorWarning

__all__ = [
    "DimensionMethod",
    "DistributedMethod",
    "Duplicates",
    "Entropy",
    "EntropyMethod",
    "Estimate",
    "EstimatorWarning",
    "Information",
    "InformationMatrix",
    "InformationMethod",
    "IntrinsicDimension",
    "SignalSpace",
    "conditional_mutual_information",
    "discrete_entropy",
    "distributed_entropy",
    "entropy",
    "find_copies",
    "information_scores",
    "intrinsic_dimension",
    "kl_divergence",
    "kl_local",
    "log_radii",
    "log_unit_ball",
    "merge_duplicates",
    "mutual_information",
    "mutual_information_matrix",
    "total_correlation",
]

if not TYPE_CHECKING:  # type checkers know the new names only
    __getattr__ = moved_names(__name__, {"Twins": "Duplicates", "merge_twins": "merge_duplicates"})
