"""Functions of many images, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BATCH_SIZE = 256


@torch.no_grad()
def in_batches(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x), computed for `BATCH_SIZE` rows at a time and without gradients."""
    return torch.cat([function(batch) for batch in x.split(BATCH_SIZE)])
