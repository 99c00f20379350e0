"""Functions of many images, a batch at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from entropix._utils._device import full_precision
from entropix._utils._memory import out_of_memory
from entropix.exceptions import MemoryWarning

INFERENCE_BATCH = 128  # its feature maps fit into a processor's caches: a quarter faster than 256

T = TypeVar("T")


class Rows(Protocol):
    """A tensor (n, ...), or an object that is indexed like one: it has n rows, and a slice of them is a tensor."""

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: Any, /) -> Tensor: ...


@torch.no_grad()
def in_batches(function: Callable[[Tensor], Tensor], x: Rows) -> Tensor:
    """Return function(x), computed for `INFERENCE_BATCH` rows at a time and without gradients."""
    return torch.cat(list(each_batch(function, x)))


def each_batch(function: Callable[[Tensor], T], x: Rows) -> Iterator[T]:
    """Yield function(rows) for `INFERENCE_BATCH` rows of x at a time; for half as many when memory is short.

    Convolutions are in full precision, so that a GPU's results are the processor's.
    """
    size, start = INFERENCE_BATCH, 0
    while True:
        try:
            with full_precision():
                result = function(x[start : start + size])
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not out_of_memory(error):
                raise
            size //= 2
            warnings.warn(f"out of memory; going on with {size} images at a time", MemoryWarning, stacklevel=2)
            continue
        yield result
        start += size
        if start >= len(x):
            return
