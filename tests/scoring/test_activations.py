"""The density of the activations of normal images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import entropix
from entropix.models import Autoencoder, ImageAutoencoder
from entropix.scoring import ActivationModel, Outputs
from entropix.scoring._outputs import statistics

CHANNELS = 6


def correlated(n: int, seed: int) -> torch.Tensor:
    """Images (n, 6, 16, 16) whose channels have Gaussian means, of different scales and correlated, and spread one."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.eye(CHANNELS) + 0.5 * torch.ones(CHANNELS, CHANNELS)
    mixing *= 10.0 ** torch.linspace(-2, 2, CHANNELS)
    means = torch.randn(n, CHANNELS, generator=generator) @ mixing
    noise = torch.randn(n, CHANNELS, 16, 16, generator=generator)
    return means[..., None, None] + noise * mixing.diagonal()[:, None, None]


def fitted(x: torch.Tensor) -> ActivationModel:
    return ActivationModel.fit(statistics([x]))


def measured(model: ActivationModel, x: torch.Tensor) -> torch.Tensor:
    none = torch.empty(len(x), 0)
    return model.measure(Outputs(*[none] * 7, statistics([x]), none))


def test_statistics_are_mean_and_deviation_over_places() -> None:
    x = torch.randn(3, 4, 5, 5)
    found = statistics([x, x[:, :2, :3, :3]])
    assert found.shape == (3, 12)
    torch.testing.assert_close(found[:, :4], x.mean((2, 3)))
    torch.testing.assert_close(found[:, 6:10], x.flatten(2).std(2, correction=0))
    torch.testing.assert_close(found[:, 10:], x[:, :2, :3, :3].flatten(2).std(2, correction=0))


def test_energy_of_normal_images_is_one_in_every_direction() -> None:
    model = fitted(correlated(3000, 0))
    new = correlated(1000, 1)
    energy = measured(model, new)
    assert energy.mean().item() == pytest.approx(1, rel=0.05)
    whitened = (statistics([new]) - model.mean) @ model.whitening
    torch.testing.assert_close(torch.cov(whitened.T), torch.eye(2 * CHANNELS), rtol=0, atol=0.2)
    # 12 independent Gaussian statistics
    assert model.scaled(energy).freedom.item() == pytest.approx(2 * CHANNELS, rel=0.2)


def test_nats_are_those_of_a_chi_square() -> None:
    """Mean nu / 2 on normal images, whatever the unit in which the energy is measured."""
    model = fitted(correlated(1000, 0))
    energy = measured(model, correlated(1000, 1))
    scaled = model.scaled(energy)
    nats = scaled.nats(energy)
    assert nats.mean().item() == pytest.approx(scaled.freedom.item() / 2, rel=1e-4)
    torch.testing.assert_close(model.scaled(7 * energy).nats(7 * energy), nats)
    assert scaled.nats(measured(scaled, correlated(50, 2) + 1)).min() > nats.median()  # the quietest channel tells


def test_unusual_statistics_surprise_by_how_unusual_they_are() -> None:
    model = fitted(correlated(3000, 0))
    x = correlated(200, 1)
    usual = measured(model, x).mean()
    loud, quiet = x.clone(), x.clone()
    loud[:, -1] += 3  # the same change in a channel that varies by a hundred, and in one that varies by a hundredth
    quiet[:, 0] += 3
    assert measured(model, loud).mean() < 1.1 * usual
    assert measured(model, quiet).mean() > 100 * usual
    rough = x.clone()
    rough[:, 2] += 2 * (rough[:, 2] - rough[:, 2].mean((1, 2), keepdim=True))  # same mean, three times the deviation
    assert measured(model, rough).mean() > 10 * usual


def test_a_channel_that_is_silent_on_normal_images() -> None:
    x = correlated(300, 0)
    x[:, 1] = 0
    model = fitted(x)
    new = correlated(100, 1)
    speaking = measured(model, new)
    new[:, 1] = 0
    silent = measured(model, new)
    assert torch.isfinite(speaking).all()
    assert silent.mean().item() == pytest.approx(1, rel=0.3)
    assert (speaking > silent).all()


def test_fewer_images_than_statistics() -> None:
    """The covariance is shrunk: new images are no further from the mean than the images are that it is known from."""
    x = correlated(8, 0)
    model = fitted(x)
    assert torch.isfinite(model.whitening).all()
    assert measured(model, correlated(200, 1)).median() < 20 * measured(model, x).median()


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (32, 3), (48, 1), (64, 1)])
def test_a_loaded_detector_scores_to_the_last_bit(size: int, channels: int, tmp_path: Path) -> None:
    images = entropix.datasets.phantoms(100, factors=2, image_size=size).images.repeat(channels, axis=1)
    if channels > 1:
        images *= np.array([1, 0.7, 0.4], np.float32)[:, None, None]
    detector = entropix.fit(images, latent_dim=2, image_size=size, epochs=1, device="cpu", progress=False)
    again = entropix.load(detector.save(tmp_path / "model"), device="cpu")
    before, after = detector.explain(images), again.explain(images)
    assert set(before) == {"surprisal", "residual", "conditional", "latent"}
    for name, values in before.items():
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(after[name], values)
    np.testing.assert_array_equal(again.p_value(images), detector.p_value(images))
    network = again.network_
    assert not network.training
    assert not any(one.requires_grad for one in network.parameters())


class Encoder(nn.Module):
    """An encoder that is no Sequential."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(256, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.linear(x.flatten(1)))


class Opaque(ImageAutoencoder):
    """An autoencoder of one's own that shows nothing of what it sees on its way to the code."""

    def __init__(self, latent_dim: int, channels: int = 1, image_size: int = 16) -> None:
        super().__init__(latent_dim, channels, image_size)
        self.encoder = Encoder()
        self.to_code, self.from_code = nn.Linear(8, latent_dim), nn.Linear(latent_dim, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 256), nn.Unflatten(1, (1, 16, 16)))


def test_an_encoder_that_shows_no_activations(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The foreign-content network alone describes the images then."""
    monkeypatch.setitem(entropix.models.ARCHITECTURES, "opaque", Opaque)
    detector = entropix.fit(images, latent_dim=2, architecture="opaque", image_size=16, epochs=1, progress=False)
    assert detector.model_.encode_in_stages(torch.zeros(1, 1, 16, 16))[1] == []
    assert detector.latent_model_.mean.shape == (2 * (16 + 16 + 32 + 32 + 32),)
    assert np.isfinite(detector.anomaly_score(images)).all()
    again = entropix.load(detector.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.anomaly_score(images), detector.anomaly_score(images))


def test_stages_of_an_encoder_are_its_activations() -> None:
    model, x = Autoencoder(3, 1, 32).eval(), torch.randn(2, 1, 32, 32)
    z, found = model.encode_in_stages(x)
    torch.testing.assert_close(z, model.encode(x), rtol=0, atol=0)
    assert len(found) > 1
    assert all(one.ndim == 4 and len(one) == 2 for one in found)
    rest = model.encoder[len(found) :]  # from the last activation on
    torch.testing.assert_close(rest(found[-1]), model.encoder(x))
