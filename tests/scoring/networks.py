"""Foreign-content networks whose answers are known."""

import torch

from entropix.scoring import ForeignNetwork


class Even(ForeignNetwork):
    """Every place is as foreign as any other."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.new_zeros(len(x), 1, x.shape[-2] // 2, x.shape[-1] // 2)


class Left(Even):
    """The left half of every image is foreign, and nothing of the right one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = super().forward(x) - 20
        logits[..., : logits.shape[-1] // 2] += 40
        return logits
