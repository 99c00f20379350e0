"""Work that several processes share: the entropy of a sample that is spread over them, and a training.

`entropy` needs an initialised `torch.distributed`; `launch` starts a Lightning Fabric for `entropix.fit(fabric=...)`.
"""

from entropix.estimators import distributed_entropy as entropy
from entropix.training import parallel

launch = parallel.launch

__all__ = ["entropy", "launch"]
