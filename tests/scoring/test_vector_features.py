"""The residuals of flat feature vectors, each feature in units of its own."""

import pytest
import torch

from entropix.scoring import FeatureModel, Outputs

USUAL = torch.tensor([0.1, 1.0, 1.0, 5.0])  # residual of each feature


def outputs(x: torch.Tensor, x_hat: torch.Tensor) -> Outputs:
    return Outputs(x, x_hat, x, x - x_hat, *[x.new_empty(len(x), 0)] * 5)


def vectors(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x_hat = torch.randn(n, 4, generator=generator)
    return x_hat + USUAL * torch.randn(n, 4, generator=generator), x_hat


def test_a_residual_surprises_by_how_usual_it_is_in_its_feature() -> None:
    model = FeatureModel.fit(outputs(*vectors(2000, 0)))
    _, x_hat = vectors(4, 1)
    nats = model.surprise(outputs(x_hat + torch.eye(4), x_hat)).total  # the same residual, in one feature each
    torch.testing.assert_close(nats / nats[1], USUAL[1] ** 2 / USUAL**2, rtol=0.15, atol=0)
    # half a chi-square of one degree of freedom per feature
    assert model.surprise(outputs(*vectors(2000, 2))).total.mean().item() == pytest.approx(4 / 2, rel=0.1)


def test_units_of_features_do_not_matter() -> None:
    units = torch.tensor([100.0, 0.01, 1.0, 3.0])
    x, x_hat = vectors(200, 0)
    plain, scaled = (FeatureModel.fit(outputs(unit * x, unit * x_hat)) for unit in (1, units))
    new, new_hat = vectors(20, 1)
    usual, other = plain.surprise(outputs(new, new_hat)), scaled.surprise(outputs(units * new, units * new_hat))
    torch.testing.assert_close(other.places, usual.places, rtol=1e-4, atol=1e-6)
