"""Which prefixes of the code a nested training visits."""

import pytest
import torch

from entropix.models import Autoencoder
from entropix.training import NestedError

DIMS = (1, 2, 4)


def test_half_of_every_batch_goes_through_the_whole_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are drawn evenly, so that the whole code gets two thirds in all."""
    visited: list[torch.Tensor] = []
    decode = Autoencoder.decode_prefix

    def record(model: Autoencoder, z: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        visited.append(d)
        return decode(model, z, d)

    monkeypatch.setattr(Autoencoder, "decode_prefix", record)
    objective = NestedError(Autoencoder(DIMS[-1], 1, 16), DIMS)
    generator = torch.Generator().manual_seed(0)
    batches, n = 10, 64
    for batch in torch.rand(batches, n, 1, 16, 16):
        objective(batch, generator)
    drawn = torch.stack(visited)
    assert drawn.shape == (batches, n)
    assert ((drawn == DIMS[-1]).sum(1) >= n // 2).all()
    for d, share in zip(DIMS, (1 / 6, 1 / 6, 2 / 3), strict=True):
        assert (drawn == d).float().mean().item() == pytest.approx(share, abs=0.05)
