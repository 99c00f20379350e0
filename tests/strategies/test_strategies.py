"""The three strategies: pruning keeps what the code carries, constraining finds the length, one interface for all."""

import copy
import importlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import entropix
from entropix.models import Autoencoder
from entropix.selection import Curve
from entropix.strategies._constrain import Length
from entropix.strategies._principal_axes import to_principal_axes

pytestmark = pytest.mark.filterwarnings("ignore::entropix.exceptions.FitWarning")
SIDE = 16


class Linear(nn.Module):
    """Code of 12 latents, of which `carried` reach the image; the others vary ten times as much and reach nothing."""

    def __init__(self, basis: torch.Tensor, carried: int) -> None:
        super().__init__()
        mix = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(3)))[0]
        self.register_buffer("basis", basis)  # (SIDE^2, carried), orthonormal
        self.register_buffer("noise", torch.randn(SIDE**2, 12 - carried, generator=torch.Generator().manual_seed(4)))
        self.register_buffer("mix", mix)
        self.gain = nn.Parameter(torch.ones(1))
        self.carried = carried

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        return torch.cat([flat @ self.basis, 10 * flat @ self.noise], 1) @ self.mix

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return (self.gain * (z @ self.mix.T)[:, : self.carried] @ self.basis.T).reshape(-1, 1, SIDE, SIDE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))


@pytest.fixture(scope="module")
def linear() -> tuple[Linear, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(SIDE**2, 3, generator=generator))[0]
    images = torch.randn(300, 3, generator=generator) * torch.tensor([8.0, 6.0, 4.0]) @ basis.T
    images = images + 0.02 * torch.randn(images.shape, generator=generator)
    return Linear(basis, 3), images.reshape(-1, 1, SIDE, SIDE)


def test_rotation_orders_by_effect_on_the_image(linear: tuple[Linear, torch.Tensor]) -> None:
    model, images = linear
    rotated = to_principal_axes(model, images)
    z = rotated.encode(images)
    error = [(rotated.decode_prefix(z, d) - images).square().mean().item() for d in (0, 1, 2, 3, 12)]
    assert error[0] > error[1] > error[2] > error[3]
    assert error[3] == pytest.approx(error[4], rel=1e-3)  # the nine others reach no pixel, however much they vary
    assert torch.allclose(rotated.decode(z), model(images), atol=1e-3)


def test_prune_a_module_of_ones_own(linear: tuple[Linear, torch.Tensor]) -> None:
    model, images = linear
    before = copy.deepcopy(model.state_dict())
    pruned = entropix.prune(model, images.numpy(), epochs=1, device="cpu")
    assert pruned.latent_dim == 3
    assert pruned.model.encode(images).shape == (300, 3)
    assert len(pruned.history) == 1
    assert (pruned.model(images) - images).square().mean() < 0.01 * images.var()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_prune_measures_images_in_random_order(
    linear: tuple[Linear, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file's order may be that of patients or sizes; the first images of it are no sample."""
    model, images = linear
    ordered = images[images.flatten(1).norm(dim=1).argsort()]
    seen: list[torch.Tensor] = []

    def look(distinct: torch.Tensor, held_out: torch.Tensor, *others: Any) -> Curve:
        seen.extend([distinct, held_out])
        return Curve(distinct, held_out, *others)

    monkeypatch.setattr(importlib.import_module("entropix.strategies._prune"), "Curve", look)
    entropix.prune(model, ordered, device="cpu")
    for part in seen:
        norms = part.flatten(1).norm(dim=1).numpy()
        assert abs(np.corrcoef(norms, np.arange(len(norms)))[0, 1]) < 0.4
    assert len(torch.cat(seen)) == 300


@pytest.mark.parametrize(
    ("model", "images", "error", "message"),
    [
        (nn.Identity(), torch.zeros(100, 1, 16, 16), TypeError, "encode"),
        (lambda x: x, torch.zeros(100, 1, 16, 16), TypeError, "torch.nn.Module"),
        (Autoencoder(4, 1, 16), torch.zeros(100, 16, 16), ValueError, "(100, 16, 16)"),
        (Autoencoder(4, 1, 16), torch.zeros(10, 1, 16, 16), ValueError, "at least 80"),
        (Autoencoder(4, 1, 16), np.zeros((100, 1, 16, 16), np.uint8), ValueError, "floating-point"),
    ],
)
def test_prune_refuses(model: object, images: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message.replace("(", r"\(").replace(")", r"\)")):
        entropix.prune(model, images)


def test_folding_computes_the_same() -> None:
    torch.manual_seed(0)
    wide, images = Autoencoder(32, 1, SIDE).eval(), torch.randn(80, 1, SIDE, SIDE)
    rotated = to_principal_axes(wide, images).cut(5)
    with torch.no_grad():
        narrow = wide.with_axes(rotated.into, rotated.out, rotated.centre)
        assert narrow.latent_dim == 5
        assert torch.allclose(narrow(images), rotated(images), atol=1e-4)
        assert torch.allclose(narrow.encode(images), rotated.encode(images), atol=1e-3)


def test_length_moves_towards_the_constraint(linear: tuple[Linear, torch.Tensor]) -> None:
    """With a code that holds three factors in its first three latents, from above and from below."""
    model, images = linear

    class Prefixes(Autoencoder):
        def encode(self, x: torch.Tensor) -> torch.Tensor:
            z = x.flatten(1) @ model.basis
            return torch.cat([z, torch.zeros(len(z), self.latent_dim - 3)], 1)

        def decode(self, z: torch.Tensor) -> torch.Tensor:
            return (z[:, :3] @ model.basis.T).reshape(-1, 1, SIDE, SIDE)

    length = Length(Prefixes(64, 1, SIDE), Curve(images[:250], images[250:], 0), 100)
    for start in (1.0, 30.0):
        length.d = start
        generator = torch.Generator().manual_seed(0)
        for _ in range(60):
            length.step(generator)
        assert length.whole == 3


@pytest.mark.parametrize("parts", [1, 4])
def test_length_counts_images_not_calls(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    """Where memory is short a batch comes in parts: as many steps, and it settles at the same batch."""
    steps = 0

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1

    monkeypatch.setattr(Length, "step", step)
    torch.manual_seed(0)
    length = Length(Autoencoder(4, 1, SIDE), None, 50)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    for batch in range(1, 51):
        for part in torch.rand(64, 1, SIDE, SIDE).chunk(parts):
            value = length(part, generator).item()
        assert steps == min(batch, 40) // 10
        assert bool(length.errors.values[1] > 0) == (batch <= 40)
    # once the length is settled, the loss is that of the present code alone
    error = length.errors.values[0].log()
    assert value == pytest.approx(float(error), abs=0.1)


@pytest.mark.parametrize("strategy", ["select", "prune", "constrain"])
def test_one_interface(strategy: str, tmp_path: object) -> None:
    images = entropix.datasets.phantoms(150, factors=2, image_size=16).images
    detector = entropix.fit(images, strategy=strategy, image_size=16, epochs=6, device="cpu", progress=False)
    assert detector.latent_dim_ == detector.model_.latent_dim
    assert detector.latent_dim_ in [point["latent_dim"] for point in detector.curve_]
    assert len(detector.history_) == 6
    assert detector.settings_["strategy"] == strategy
    assert detector.reason_
    again = entropix.load(detector.save(tmp_path / "model"), device="cpu")
    assert np.array_equal(again.anomaly_score(images[:5]), detector.anomaly_score(images[:5]))
    # products of memory that is not aligned differ in the last bit on some processors
    assert all(weight.data_ptr() % 64 == 0 for weight in again.model_.parameters())


def test_unknown_strategy() -> None:
    with pytest.raises(ValueError, match="select, prune, constrain"):
        entropix.fit(np.zeros((100, 16, 16)), strategy="guess")
