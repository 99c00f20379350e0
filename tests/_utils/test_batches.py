"""Batches that don't fit into memory are halved, and the result stays the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from entropix._utils._batches import MemoryWarning, in_batches


def limited(most: int, sizes: list[int]) -> object:
    def function(x: Tensor) -> Tensor:
        if len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(x))
        return 2 * x

    return function


def test_batches_are_halved_until_they_fit() -> None:
    x, sizes = torch.rand(300, 3), []
    with pytest.warns(MemoryWarning) as warned:
        y = in_batches(limited(50, sizes), x)
    assert [str(one.message) for one in warned] == [
        "out of memory; going on with 64 images at a time",
        "out of memory; going on with 32 images at a time",
    ]
    assert torch.equal(y, 2 * x)
    assert sizes == [32] * 9 + [12]


def test_one_image_that_does_not_fit_is_an_error() -> None:
    with pytest.warns(MemoryWarning), pytest.raises(torch.OutOfMemoryError):
        in_batches(limited(0, []), torch.rand(5, 3))


@pytest.mark.parametrize("full", [lambda: torch.empty(10**15), lambda: np.empty(10**15)], ids=["torch", "numpy"])
def test_the_processors_memory_counts_too(full: Callable[[], object]) -> None:
    def function(x: Tensor) -> Tensor:
        if len(x) > 64:
            full()
        return x

    x = torch.rand(130, 2)
    with pytest.warns(MemoryWarning, match="64 images at a time"):
        assert torch.equal(in_batches(function, x), x)


def test_other_errors_are_raised_at_once() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        in_batches(lambda x: x @ x, torch.rand(5, 3))


@pytest.mark.parametrize("n", [0, 1, 128, 129, 256])
def test_every_row_once(n: int) -> None:
    sizes: list[int] = []
    x = torch.rand(n, 2)
    assert torch.equal(in_batches(limited(128, sizes), x), 2 * x)
    assert sum(sizes) == n
