"""The paper's autoencoder, the nested one, and what cutting it means."""

import pytest
import torch

from entropix.models import Autoencoder
from entropix.training import NestedError, squared_error, train


def test_parameters_of_the_paper() -> None:
    # the benchmark's table gives 2.35 M for d = 16
    assert sum(p.numel() for p in Autoencoder(16).parameters()) == 2_351_185


@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 64), (1, 32), (1, 128)])
def test_shapes(channels: int, size: int) -> None:
    model = Autoencoder(4, channels, size).eval()
    x = torch.rand(3, channels, size, size)
    assert model.encode(x).shape == (3, 4)
    assert model(x).shape == x.shape


def test_wrong_sizes() -> None:
    with pytest.raises(ValueError, match="multiple of 16, got 60"):
        Autoencoder(4, image_size=60)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Autoencoder(0)


def test_truncated_is_the_prefix() -> None:
    nested = Autoencoder(8).eval()
    for parameter in nested.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.rand(5, 1, 64, 64)
    for d in (1, 3, 8):
        cut = nested.truncate(d)
        assert cut.latent_dim == d
        assert not cut.training
        torch.testing.assert_close(cut(x), nested.decode_prefix(nested.encode(x), d))
    torch.testing.assert_close(nested.decode_prefix(nested.encode(x), 8), nested(x))
    with pytest.raises(ValueError, match="between 1 and 8, got 9"):
        nested.truncate(9)


def test_prefix_per_image() -> None:
    nested = Autoencoder(4).eval()
    z = torch.randn(3, 4)
    together = nested.decode_prefix(z, torch.tensor([1, 2, 4]))
    alone = torch.cat([nested.decode_prefix(z[i : i + 1], d) for i, d in enumerate((1, 2, 4))])
    torch.testing.assert_close(together, alone)


def test_nested_error_weighs_prefixes_alike() -> None:
    """The loss is the mean over prefixes of ln(error): its gradient does not depend on their sizes."""
    torch.manual_seed(0)
    nested = Autoencoder(4)
    objective = NestedError(nested, (1, 4))
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(64, 1, 64, 64)
    first = objective(x, generator)
    assert (objective.means.values > 0).all()
    assert first.item() == pytest.approx(objective.means.values.log().mean().item(), abs=1e-5)
    gradients = []
    for scale in (1.0, 10.0):
        objective = NestedError(nested, (1, 4))
        nested.zero_grad()
        objective(scale * x - 100 * scale, generator.manual_seed(0)).backward()
        last = nested.decoder[-1]
        gradients.append(last.bias.grad.item())
    # the error is 100 times larger and so is its square root's slope 10 times; ln(error) has a slope 10 times smaller
    assert gradients[1] == pytest.approx(gradients[0] / 10, rel=1e-2)


def test_training_learns_and_repeats() -> None:
    x = torch.rand(64, 1, 1, 1) * torch.ones(1, 1, 32, 32) * 2 - 1  # one factor: the grey level
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        model = Autoencoder(1, image_size=32)
        losses = train(model, x, squared_error(model), epochs=15, seed=3, one_cycle=True)
        assert not model.training
        assert losses[-1] < 0.3 * losses[0]
        results.append(losses)
    assert results[0] == results[1]


def test_training_stops_at_nan() -> None:
    model = Autoencoder(1, image_size=32)
    x = torch.full((64, 1, 32, 32), torch.nan)
    with pytest.raises(FloatingPointError, match="epoch 1 of 2"):
        train(model, x, squared_error(model), epochs=2, seed=0)
