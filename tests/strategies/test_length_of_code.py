"""Where the strategy "constrain" drives the length of the code."""

from types import SimpleNamespace

import pytest
import torch

from entropix.models import BaseAutoencoder
from entropix.strategies._constrain import Length

WIDEST = 40


class Prefixes(BaseAutoencoder):
    """Images are codes; the reconstruction of a prefix says how long it was."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = WIDEST
        self.scale = torch.nn.Parameter(torch.ones(1))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def decode_prefix(self, z: torch.Tensor, d: int | torch.Tensor) -> torch.Tensor:
        return torch.full((len(z), 1), float(d))


@pytest.mark.parametrize("start", [2.0, 39.0])
@pytest.mark.parametrize("per_latent", [0.05, 0.2])
def test_length_goes_to_where_the_entropy_is_one_nat_below_that_of_the_whole_code(
    start: float, per_latent: float
) -> None:
    """Each latent adds the same to the entropy of the reconstructions, so it is one nat's worth of latents shorter."""
    images = SimpleNamespace(of_reconstructions=lambda x: 10 + per_latent * x[:, 0])
    curve = SimpleNamespace(train=torch.zeros(300, 1), images=images)
    length = Length(Prefixes(), curve, 1000)  # type: ignore[arg-type]
    length.d = start
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        length.step(generator)
    assert length.d == pytest.approx(WIDEST - 1 / per_latent, abs=0.01)
