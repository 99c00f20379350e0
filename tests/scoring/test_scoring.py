"""The residual model and the latent term, on data whose answer is known."""

import pytest
import torch

from entropix.scoring import LatentModel, ResidualModel, learn_scale
from entropix.scoring._nuisance import explain
from entropix.scoring._residual import _freedom
from entropix.scoring._scale_space import ScaleLevel, scale_space


def scene(n: int, seed: int, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Reconstructions with an edge and a gain per image, and images whose error follows both."""
    generator = torch.Generator().manual_seed(seed)
    gain = 0.3 + torch.rand(n, 1, 1, 1, generator=generator)
    step = torch.where(torch.arange(size) < size // 2, -1.0, 1.0).expand(1, 1, size, size)
    x_hat = gain * step
    noise = torch.randn(n, 1, size, size, generator=generator)
    place = torch.linspace(0.02, 0.2, size)[:, None]
    return x_hat + gain * place * noise, x_hat


def test_octaves() -> None:
    assert [level.sigma for level in scale_space(64)] == [0.5, 1, 2, 4, 8]
    assert [level.stride for level in scale_space(64)] == [1, 1, 1, 2, 4]
    assert [level.sigma for level in scale_space(128)] == [0.5, 1, 2, 4, 8, 16]
    assert [level.samples for level in scale_space(16)] == [256, 256, 256]


def test_samples_are_those_of_a_gaussian_blur() -> None:
    level = ScaleLevel(256, 4)
    assert torch.allclose(level.sample(torch.ones(1, 1, 256, 256)), torch.ones(1, 1, level.samples))
    noise = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    inside = level.sample(noise).reshape(128, 128)[16:112, 16:112]
    # the variance of white noise after a Gaussian of sd s is 1 / (4 pi s^2)
    assert inside.var().item() == pytest.approx(1 / (4 * torch.pi * 16), rel=0.3)
    spot = torch.zeros(1, 1, 256, 256)
    spot[..., 100:102, 60:62] = 1.0  # centred on a sample: between pixels 2 i and 2 i + 1
    assert int(level.sample(spot).argmax()) == 50 * 128 + 30


def test_normal_images_cost_what_they_should() -> None:
    model = ResidualModel.fit(*scene(200, 0))
    x, x_hat = scene(500, 1)
    energies = model.energies(x, x_hat) / model.energy
    assert energies.mean(0).sub(1).abs().max().item() < 0.1
    # mean nu / 2, as half a chi-square of nu degrees of freedom
    assert model.surprise(x, x_hat).mean().item() == pytest.approx(model.freedom.sum().item() / 2, rel=0.1)


def blob(n: int, shift: float | torch.Tensor, size: int = 32) -> torch.Tensor:
    """Smooth images (n, 1, 32, 32) of n different widths, moved to the right by `shift` pixels."""
    line = torch.arange(size) - size / 2
    width = torch.linspace(3, 6, n)[:, None, None, None]
    return torch.exp(-((line - shift).square() + 2 * (line[:, None] - 2).square()) / (2 * width**2)) - 0.5


def test_position_and_exposure_are_found() -> None:
    x_hat = blob(5, 0)
    moved = explain(blob(5, 0.25) - x_hat, x_hat)
    assert moved.weights[:, 2].tolist() == pytest.approx([-0.25] * 5, abs=0.02)  # pixels
    assert moved.rest.square().mean() < 0.01 * (blob(5, 0.25) - x_hat).square().mean()
    brighter = explain(0.1 * (x_hat - x_hat.mean((1, 2, 3), keepdim=True)) + 0.2, x_hat)
    assert brighter.weights[:, 1].tolist() == pytest.approx([0.1] * 5, abs=1e-3)
    assert brighter.rest.abs().max() < 1e-3
    flat = explain(torch.ones_like(x_hat), torch.zeros_like(x_hat))
    assert torch.isfinite(flat.weights).all()


def test_displacements_surprise_by_how_unusual_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    shift = 0.3 * torch.randn(100, 1, 1, 1, generator=generator)
    x_hat = blob(100, 0)
    noise = 0.02 * torch.randn(x_hat.shape, generator=generator)
    still, moved = x_hat + noise, blob(100, shift) + noise
    by_still, by_moved = ResidualModel.fit(still, x_hat), ResidualModel.fit(moved, x_hat)
    further = blob(100, shift + 0.3 * shift.sign()) + noise
    nats = [(model.surprise(further, x_hat) - model.surprise(moved, x_hat)).mean() for model in (by_still, by_moved)]
    assert nats[0] > 20 * nats[1] > 0


def test_freedom_is_that_of_a_chi_square() -> None:
    nu = torch.tensor([0.7, 3.0, 40.0])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = torch.distributions.Chi2(nu).sample((20000,))
    torch.testing.assert_close(_freedom(draws), nu, rtol=0.05, atol=0)


def test_gain_does_not_matter() -> None:
    model = ResidualModel.fit(*scene(200, 0))
    x, x_hat = scene(50, 1)
    torch.testing.assert_close(model.surprise(2 * x, 2 * x_hat), model.surprise(x, x_hat), rtol=0.05, atol=0)


def test_noisy_places_are_expected_and_others_surprise() -> None:
    model = ResidualModel.fit(*scene(200, 0))
    x, x_hat = scene(100, 1)
    quiet, loud = x.clone(), x.clone()
    quiet[..., 2:8, 4:10] += 0.15
    loud[..., 24:30, 4:10] += 0.15
    normal = model.surprise(x, x_hat)
    assert (model.surprise(quiet, x_hat) - normal).mean() > 2 * (model.surprise(loud, x_hat) - normal).mean()


def test_map_sums_to_the_score_and_shows_the_place() -> None:
    model = ResidualModel.fit(*scene(200, 0))
    x, x_hat = scene(3, 1)
    x[0, 0, 10:16, 20:26] += 0.5
    maps = model.surprise_map(x, x_hat)
    assert maps.shape == (3, 32, 32)
    octaves_only = ((model.energies(x, x_hat) / model.energy)[:, :-1] @ model.freedom[:-1]) / 2
    torch.testing.assert_close(maps.sum((1, 2)), octaves_only, rtol=1e-4, atol=0)
    row, column = divmod(int(maps[0].argmax()), 32)
    assert 9 <= row <= 16
    assert 19 <= column <= 26


def test_perfect_reconstruction_is_finite() -> None:
    _, x_hat = scene(20, 0)
    model = ResidualModel.fit(x_hat, x_hat)
    assert torch.isfinite(model.surprise(x_hat, x_hat)).all()


def dots(n: int, seed: int, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 1, 32, 32) of a bright dot, which is never quite right, and a dark one, which always is."""
    generator = torch.Generator().manual_seed(seed)
    line = torch.arange(size)
    row = torch.randint(6, size - 6, (2, n, 1, 1, 1), generator=generator)
    left = torch.randint(5, size // 2 - 4, (n, 1, 1, 1), generator=generator)
    left = torch.where(torch.rand(n, 1, 1, 1, generator=generator) < 0.5, left, size - left)  # bright left or right
    bright, dark = (
        torch.exp(-((line - column).square() + (line[:, None] - one).square()) / 18.0)
        for one, column in zip(row, (left, size - left), strict=True)
    )
    x_hat = bright - dark
    noise = torch.randn(x_hat.shape, generator=generator)
    return x_hat + (0.02 + 0.2 * bright) * noise, x_hat


def code_length(model: ResidualModel, x: torch.Tensor, x_hat: torch.Tensor) -> torch.Tensor:
    """Nats of a sample of each level, but for a constant, with the best level."""
    rest = explain(x - x_hat, x_hat).rest
    squares = model.squares(rest, x_hat)
    scales = [level.sample(rest).square() / square for level, square in zip(scale_space(32), squares, strict=True)]
    nats = [square.mean().log() + scale.log().mean() for square, scale in zip(squares, scales, strict=True)]
    return torch.stack(nats) / 2


def test_what_a_network_expects() -> None:
    known, x, x_hat = dots(200, 1), *dots(300, 2)
    network = learn_scale(*dots(400, 0), seed=0)
    learnt, without = ResidualModel.fit(*known, network), ResidualModel.fit(*known)
    saved = code_length(without, x, x_hat) - code_length(learnt, x, x_hat)
    assert saved[0] > 0.05
    assert (saved > 0).all()
    changed = x + 0.1 * (x_hat < -0.5)
    shown = [(model.surprise(changed, x_hat) - model.surprise(x, x_hat)).mean() for model in (learnt, without)]
    assert shown[0] > 1.05 * shown[1] > 0
    torch.testing.assert_close(learnt.surprise(2 * x, 2 * x_hat), learnt.surprise(x, x_hat), rtol=0.05, atol=0)
    octaves_only = ((learnt.energies(x, x_hat) / learnt.energy)[:, :-1] @ learnt.freedom[:-1]) / 2
    torch.testing.assert_close(learnt.surprise_map(x, x_hat).sum((1, 2)), octaves_only, rtol=1e-4, atol=0)


def test_networks_of_one_seed_are_one() -> None:
    before = torch.random.get_rng_state()
    networks = [learn_scale(*dots(64, 0), seed=3) for _ in range(2)]
    assert torch.equal(torch.random.get_rng_state(), before)
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(one, other)
        assert not one.requires_grad


def test_latent_surprise_is_the_density() -> None:
    """Codes are standard normal after whitening: -ln p is known."""
    mixing = torch.tensor([[2.0, 0.3], [0.0, 0.1]])
    codes = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) @ mixing
    model = LatentModel.fit(codes[:3000], codes[3000:])
    assert model.dimension.item() == pytest.approx(2, rel=0.1)
    radius = torch.tensor([0.0, 1.0, 2.0])
    whitened = torch.stack([radius, torch.zeros(3)], 1)
    points = whitened @ torch.linalg.inv(model.whitening) + model.mean
    truth = radius**2 / 2 + torch.log(torch.tensor(2 * torch.pi))
    assert (model.surprise(points) - truth).abs().max().item() < 0.8  # one k = 5 density each
    assert (model.excess(codes[3000:]) == 0).all()  # held-out normal codes are usual
    far = model.excess(points[:1] + 100)
    assert far.item() > 5


def test_latent_copy_is_finite() -> None:
    codes = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    model = LatentModel.fit(codes, torch.randn(50, 3))
    copies = torch.zeros(1, 3).expand(10, 3)
    stacked = LatentModel(copies.contiguous(), model.whitening, torch.zeros(3), model.dimension, model.usual)
    assert torch.isfinite(stacked.surprise(torch.zeros(1, 3))).all()
