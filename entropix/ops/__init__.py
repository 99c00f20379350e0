"""The kernels as tensor functions: neighbours, neighbour counts, nested codes and reconstruction error.

Each function checks its arguments, then calls an op of the `entropix` torch.library namespace, which has a fake
kernel (torch.compile, torch.export), kernels for CPU and CUDA in the native module, and a gradient where one is
defined.
"""

from entropix.ops._checks import Metric
from entropix.ops._count_within import count_within
from entropix.ops._knn import Neighbours, knn
from entropix.ops._prefix_knn import prefix_knn
from entropix.ops._reconstruction import reconstruction_error

__all__ = ["Metric", "Neighbours", "count_within", "knn", "prefix_knn", "reconstruction_error"]
