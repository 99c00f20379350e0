"""Initial weights from a generator of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# What initial weights are drawn with. A mode sees the functions of `nn.init` whole, and not what they call.
DRAWING: frozenset[Any] = frozenset(
    (
        *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_),
        *(Tensor.uniform_, Tensor.normal_, Tensor.random_, Tensor.bernoulli_, Tensor.exponential_),
        *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal, torch.bernoulli),
    )
)


class seeded(TorchFunctionMode):
    """A block in which modules are made with the weights that `seed` draws, in this thread alone.

    Modules draw their weights from the generator of the process. To seed that one would let threads disturb each other
    and the caller's own draws.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if function in DRAWING and given.get("generator") is None:
            given = given | {"generator": self._generator}
        return function(*args, **given)
