"""Weights are drawn from a generator of their own: as from the process's with that seed, which stays as it is."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from entropix._utils import seeded
from entropix.models import Autoencoder, DenseAutoencoder, VariationalAutoencoder

MADE: dict[str, Callable[[], nn.Module]] = {
    "convolutional": lambda: Autoencoder(2, 1, 16),
    "variational": lambda: VariationalAutoencoder(2, 1, 16),
    "dense": lambda: DenseAutoencoder(2, 5),
    "attention": lambda: nn.MultiheadAttention(4, 2),
    "recurrent": lambda: nn.LSTM(2, 3),
    "own": lambda: nn.ParameterList([torch.randn(3), torch.rand(2), nn.init.orthogonal_(torch.empty(3, 3))]),
    "sparse": lambda: nn.ParameterList([nn.init.sparse_(torch.empty(4, 4), 0.5)]),
}


@pytest.mark.parametrize("name", MADE)
def test_same_weights_as_from_a_seeded_process(name: str) -> None:
    torch.manual_seed(3)
    expected = MADE[name]().state_dict()
    before = torch.get_rng_state()
    with seeded(3):
        found = MADE[name]().state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_generator_that_is_given_is_used() -> None:
    drawn = []
    for _ in range(2):
        with seeded(0):
            drawn.append(torch.rand(2, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(drawn[0], torch.rand(2, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(*drawn)


def test_copies_of_a_model_leave_the_callers_random_numbers() -> None:
    model, variational = Autoencoder(2, 1, 16), VariationalAutoencoder(2, 1, 16)
    before = torch.get_rng_state()
    model.truncate(1)
    variational.plain()
    assert torch.equal(torch.get_rng_state(), before)
