"""The variational baseline: its objective, and the plain autoencoder that it is in evaluation."""

from pathlib import Path

import pytest
import torch

import entropix
from entropix.models._vae import DIVERGENCE_WEIGHT, VariationalAutoencoder, divergence
from entropix.training import train


def test_divergence_is_that_of_two_normals() -> None:
    mean, log_variance = torch.randn(2, 5, 3, dtype=torch.float64)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(posterior, prior)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


def test_plain_is_its_mean() -> None:
    model = VariationalAutoencoder(3, image_size=32).eval()
    x = torch.rand(4, 1, 32, 32)
    plain = model.plain()
    assert type(plain) is entropix.models.Autoencoder
    assert not plain.training
    mean, _ = model.posterior(x)
    torch.testing.assert_close(plain.encode(x), mean)
    torch.testing.assert_close(plain(x), model.decode(mean))


def test_objective_draws_codes_from_the_posterior() -> None:
    """Codes of large variance cost reconstruction, codes of none do not: the value tells which was drawn."""
    model = VariationalAutoencoder(2, image_size=32).eval()
    x = torch.rand(64, 1, 32, 32) * 2 - 1
    values = []
    for log_variance in (-40.0, 10.0):
        torch.nn.init.zeros_(model.to_log_variance.weight)
        torch.nn.init.constant_(model.to_log_variance.bias, log_variance)
        mean, spread = model.posterior(x)
        penalty = DIVERGENCE_WEIGHT * divergence(mean, spread).mean()
        values.append((model.negative_elbo(x, torch.Generator().manual_seed(0)) - penalty).item())
    exact = torch.nn.functional.mse_loss(model.decode(model.posterior(x)[0]), x).item()
    assert values[0] == pytest.approx(exact, rel=1e-4)
    assert values[1] > 1.1 * exact


def test_training_learns_and_repeats() -> None:
    x = torch.rand(64, 1, 1, 1) * torch.ones(1, 1, 32, 32) * 2 - 1  # one factor: the grey level
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        model = VariationalAutoencoder(2, image_size=32)
        losses = train(model, x, model.negative_elbo, epochs=15, seed=3)
        assert losses[-1] < 0.5 * losses[0]
        results.append(losses)
    assert results[0] == results[1]


def test_sweep_of_the_variational_one(tmp_path: Path) -> None:
    images = entropix.datasets.phantoms(100, 2, image_size=32).images
    settings = {"dims": (2,), "epochs": 2, "image_size": 32, "progress": False}
    plain, variational = (entropix.sweep(images, model=model, **settings) for model in ("ae", "vae"))
    assert [s.settings["model"] for s in (plain, variational)] == ["ae", "vae"]
    assert plain.rows[0].error_train != variational.rows[0].error_train
    assert 0 < variational.rows[0].error_held_out < 4
    folder = variational.detector(2).save(tmp_path / "vae")
    scores = variational.detector(2).anomaly_score(images)
    assert (entropix.load(folder).anomaly_score(images) == scores).all()
    with pytest.raises(ValueError, match="expected one of ae, vae"):
        entropix.sweep(images, model="gan", **settings)
