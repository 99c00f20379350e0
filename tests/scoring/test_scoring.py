"""The residual model and the latent term, on data whose answer is known."""

import pytest
import torch
from reconstructed import outputs

from entropix.scoring import LatentModel, ResidualModel
from entropix.scoring._nuisance import explain
from entropix.scoring._outputs import blur
from entropix.scoring._units import degrees_of_freedom


def scene(n: int, seed: int, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Reconstructions with an edge and a gain per image, and images whose error follows both."""
    generator = torch.Generator().manual_seed(seed)
    gain = 0.3 + torch.rand(n, 1, 1, 1, generator=generator)
    step = torch.where(torch.arange(size) < size // 2, -1.0, 1.0).expand(1, 1, size, size)
    x_hat = gain * step
    noise = torch.randn(n, 1, size, size, generator=generator)
    place = torch.linspace(0.02, 0.2, size)[:, None]
    return x_hat + gain * place * noise, x_hat


@pytest.mark.parametrize("size", [48, 128, 256])
def test_residuals_are_blurred_by_a_sixty_fourth_of_the_width(size: int) -> None:
    torch.testing.assert_close(blur(torch.ones(1, 2, size, size)), torch.ones(1, 2, size, size))
    spot = torch.zeros(1, 1, size, size)
    spot[..., size // 2, size // 4] = 1
    found, line = blur(spot)[0, 0], torch.arange(size)
    assert found.sum().item() == pytest.approx(1, rel=1e-3)
    for axis, centre in ((1, size // 2), (0, size // 4)):  # down, across
        variance = (found.sum(axis) * (line - centre).square()).sum().item()
        assert variance == pytest.approx((size / 64) ** 2, rel=0.01)


def test_normal_images_cost_what_they_should() -> None:
    model = ResidualModel.fit(outputs(*scene(200, 0)))
    new = outputs(*scene(500, 1))
    places, distance = model.energies(new)
    energies = torch.stack([places.sum((1, 2)), distance], 1) / model.energy
    assert energies.mean(0).sub(1).abs().max().item() < 0.1
    # mean nu / 2, as half a chi-square of nu degrees of freedom
    assert model.surprise(new).total.mean().item() == pytest.approx(model.freedom.sum().item() / 2, rel=0.1)


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
    further = blob(100, shift + 0.3 * shift.sign()) + noise
    of_still, of_moved, of_further = (outputs(x, x_hat) for x in (still, moved, further))
    models = [ResidualModel.fit(of) for of in (of_still, of_moved)]
    nats = [(model.surprise(of_further).total - model.surprise(of_moved).total).mean() for model in models]
    assert nats[0] > 20 * nats[1] > 0


def test_freedom_is_that_of_a_chi_square() -> None:
    nu = torch.tensor([0.7, 3.0, 40.0])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = torch.distributions.Chi2(nu).sample((20000,))
    torch.testing.assert_close(degrees_of_freedom(draws), nu, rtol=0.05, atol=0)


def test_gain_does_not_matter() -> None:
    model = ResidualModel.fit(outputs(*scene(200, 0)))
    x, x_hat = scene(50, 1)
    twice, once = (model.surprise(outputs(gain * x, gain * x_hat)).total for gain in (2, 1))
    torch.testing.assert_close(twice, once, rtol=0.05, atol=0)


def test_noisy_places_are_expected_and_others_surprise() -> None:
    model = ResidualModel.fit(outputs(*scene(200, 0)))
    x, x_hat = scene(100, 1)
    quiet, loud = x.clone(), x.clone()
    quiet[..., 2:8, 4:10] += 0.15
    loud[..., 24:30, 4:10] += 0.15
    normal, at_quiet, at_loud = (model.surprise(outputs(one, x_hat)).total for one in (x, quiet, loud))
    assert (at_quiet - normal).mean() > 2 * (at_loud - normal).mean()


def test_map_sums_to_the_score_and_shows_the_place() -> None:
    model = ResidualModel.fit(outputs(*scene(200, 0)))
    x, x_hat = scene(3, 1)
    x[0, 0, 10:16, 20:26] += 0.5
    total, maps = model.surprise(outputs(x, x_hat))
    assert maps.shape == (3, 32, 32)
    _, distance = model.energies(outputs(x, x_hat))
    of_position = distance / model.energy[1] * model.freedom[1] / 2
    torch.testing.assert_close(maps.sum((1, 2)), total - of_position, rtol=1e-4, atol=0)
    row, column = divmod(int(maps[0].argmax()), 32)
    assert 9 <= row <= 16
    assert 19 <= column <= 26


def test_a_residual_counts_where_the_network_sees_foreign_content() -> None:
    left = torch.arange(32).expand(32, 32) < 16
    known, (x, x_hat) = scene(200, 0), scene(50, 1)
    model = ResidualModel.fit(outputs(*known, left.float().expand(200, -1, -1)))
    inside, outside = x.clone(), x.clone()
    inside[..., 10:16, 4:10] += 0.3
    outside[..., 10:16, -10:-4] += 0.3
    of_normal, *of_changed = (outputs(one, x_hat, left.float().expand(50, -1, -1)) for one in (x, inside, outside))
    normal = model.energies(of_normal)[0].sum((1, 2))
    more, none = (model.energies(of)[0].sum((1, 2)) / normal for of in of_changed)
    assert more.min() > 1.1
    assert (none - 1).abs().max() < 0.05  # but for what the change does to position and exposure
    maps = model.surprise(of_changed[1]).places
    assert maps[..., 20:].max() < 1e-3 * maps[..., :12].max()


def test_perfect_reconstruction_is_finite() -> None:
    _, x_hat = scene(20, 0)
    same = outputs(x_hat, x_hat)
    assert torch.isfinite(ResidualModel.fit(same).surprise(same).total).all()


def test_latent_surprise_is_the_density() -> None:
    """Codes are standard normal after whitening: -ln p is known."""
    mixing = torch.tensor([[2.0, 0.3], [0.0, 0.1]])
    codes = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) @ mixing
    model = LatentModel.fit(codes[:3000])
    model = model.scaled(model.surprise(codes[3000:]))
    assert model.dimension.item() == pytest.approx(2, rel=0.1)
    radius = torch.tensor([0.0, 1.0, 2.0])
    whitened = torch.stack([radius, torch.zeros(3)], 1)
    points = whitened @ torch.linalg.inv(model.whitening) + model.mean
    truth = radius**2 / 2 + torch.log(torch.tensor(2 * torch.pi))
    assert (model.surprise(points) - truth).abs().max().item() < 0.8  # one k = 5 density each
    nats = model.nats(model.surprise(codes[3000:]))
    assert (nats == 0).all()  # held-out normal codes are usual
    assert model.nats(model.surprise(codes[3000:]).amax() + 1).item() == pytest.approx(1, abs=1e-4)
    far = model.nats(model.surprise(points[:1] + 100))
    assert far.item() > 5


def test_latent_copy_is_finite() -> None:
    codes = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    model = LatentModel.fit(codes)
    copies = torch.zeros(1, 3).expand(10, 3)
    stacked = LatentModel(copies.contiguous(), model.whitening, torch.zeros(3), model.dimension, model.usual)
    assert torch.isfinite(stacked.surprise(torch.zeros(1, 3))).all()
