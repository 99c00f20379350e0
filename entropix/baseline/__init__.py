"""The baseline: the paper's sweep over fixed latent dimensions, scored with labels (Cai et al., MICCAI 2024).

_sweep    `sweep`: one training per d and seed.
_batched  all d of a seed as one training, where launching kernels takes the time.
_result   `Sweep`: rows, detectors and the paper's tables.
"""

from entropix.baseline._result import Sweep, SweepRow
from entropix.baseline._sweep import sweep

__all__ = ["Sweep", "SweepRow", "sweep"]
