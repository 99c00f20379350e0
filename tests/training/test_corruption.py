"""What an autoencoder is given in place of the images that it is to reconstruct."""

import pytest
import torch

import entropix
from entropix.models import Autoencoder
from entropix.training import NestedError, RelativeError, corrupted, train
from entropix.training import _parallel as parallel
from entropix.training._corruption import STRENGTH


def noise(n: int, size: int = 32, channels: int = 1, seed: int = 0) -> torch.Tensor:
    return corrupted(torch.zeros(n, channels, size, size), torch.Generator().manual_seed(seed))


def test_noise_is_of_the_generator_and_added() -> None:
    x = torch.randn(10, 1, 32, 32)
    before, state = x.clone(), torch.random.get_rng_state()
    found = corrupted(x, torch.Generator().manual_seed(3))
    assert torch.equal(x, before)
    torch.testing.assert_close(found - x, noise(10, seed=3), rtol=0, atol=1e-6)
    assert not torch.equal(noise(10, seed=3), noise(10, seed=4))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (32, 3), (64, 1)])
def test_strength_differs_from_image_to_image(size: int, channels: int) -> None:
    found = noise(2000, size, channels)
    assert found.shape == (2000, channels, size, size)
    assert found.mean().abs() < 0.01
    strength = found.flatten(1).square().mean(1).sqrt()
    # the mean square of a uniform strength is a third of the largest's; bicubic interpolation keeps nine tenths or less
    kept = found.square().mean().item() / (STRENGTH**2 / 3)
    assert 0.5 < kept < 1.1
    assert (strength < STRENGTH / 10).float().mean() > 0.05  # nothing for some
    assert (strength > STRENGTH / 2).float().mean() > 0.2


def test_noise_is_coarse() -> None:
    """Neighbours are alike, and pixels that are two cells apart are not."""
    found = noise(2000)
    spread = found.square().mean()
    assert (found[..., 1:] * found[..., :-1]).mean() > 0.95 * spread
    assert (found[..., 20:] * found[..., :-20]).mean().abs() < 0.1 * spread


def test_images_of_a_share_get_what_they_would_get_in_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(64, 1, 16, 16)
    whole = corrupted(x, torch.Generator().manual_seed(0))
    monkeypatch.setattr(parallel, "processes", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(parallel, "share", lambda rows, rank=rank: rows[rank::2])
        torch.testing.assert_close(corrupted(x[rank::2], torch.Generator().manual_seed(0)), whole[rank::2])


@pytest.mark.parametrize("objective", [lambda m: RelativeError(m, corrupted), lambda m: NestedError(m, (1, 2))])
def test_the_clean_images_are_what_is_to_be_reconstructed(objective: object) -> None:
    """An autoencoder that returns what it is given has an error: the noise that it did not take out."""

    class Identity(Autoencoder):
        def encode(self, x: torch.Tensor) -> torch.Tensor:
            self.given = x
            return x

        def decode(self, z: torch.Tensor) -> torch.Tensor:
            return z + 0 * self.to_code.weight.sum()

        def decode_prefix(self, z: torch.Tensor, d: int | torch.Tensor) -> torch.Tensor:
            return self.decode(z)

    model, x = Identity(2, 1, 16), torch.zeros(64, 1, 16, 16)
    loss = objective(model)(x, torch.Generator().manual_seed(0))  # type: ignore[operator]
    error = model.given.square().mean()
    assert error > 0.001
    assert torch.isfinite(loss)
    model.zero_grad()
    loss.backward()
    # x^ - x is the noise: its gradient by a common level w is 2 mean(noise) / mean(noise^2)
    assert model.to_code.weight.grad is not None


def test_an_autoencoder_learns_to_take_noise_out() -> None:
    x = 2 * torch.from_numpy(entropix.datasets.phantoms(256, factors=2, image_size=16).images) - 1
    errors = []
    for given in (corrupted, None):
        torch.manual_seed(0)
        model = Autoencoder(4, 1, 16)
        objective = RelativeError(model) if given is None else RelativeError(model, given)
        train(model, x, objective, epochs=30, seed=0, one_cycle=True)
        with torch.inference_mode():
            errors.append((model(corrupted(x, torch.Generator().manual_seed(1))) - x).square().mean().item())
    assert errors[0] < 0.8 * errors[1]
