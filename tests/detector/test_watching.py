"""Watching a fit: what is measured, how often, and that the fit ends the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import contents

import entropix
from entropix._utils._console import Epoch, Progress
from entropix.detector import _watch as watching
from entropix.detector._watch import Watch
from entropix.models import Autoencoder
from entropix.training import _checkpoint as checkpoint

SETTINGS: dict[str, Any] = {"image_size": 16, "epochs": 6, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return entropix.datasets.phantoms(110, factors=3, image_size=16).images


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, few_candidates: None) -> None:
    """Few candidates, a checkpoint before every step, and every second epoch measured."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(watching, "SHARE", 0.05)


def measured(epochs: list[Epoch]) -> dict[int, tuple[float | None, ...]]:
    return {at.epoch: (at.error_held_out, at.entropy, at.entropy_images) for at in epochs if at.entropy is not None}


@pytest.mark.parametrize(
    "options",
    [{}, {"strategy": "prune"}, {"strategy": "constrain"}, {"latent_dim": 3}],
    ids=["select", "prune", "constrain", "fixed"],
)
def test_a_watched_fit_ends_the_same(images: np.ndarray, tmp_path: Path, options: dict[str, Any]) -> None:
    seen: list[Epoch] = []
    entropix.fit(images, out=tmp_path / "alone", **SETTINGS | options)
    entropix.fit(images, out=tmp_path / "watched", on_epoch=seen.append, **SETTINGS | options)
    assert contents(tmp_path / "alone") == contents(tmp_path / "watched")
    assert [at.epoch for at in seen] == [1, 2, 3, 4, 5, 6]
    assert list(measured(seen)) == [2, 4, 6]
    assert np.isfinite(list(measured(seen).values())).all()


def test_a_resumed_fit_measures_the_same(images: np.ndarray, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def stop(at: Epoch) -> None:
        if at.epoch == 3:
            raise Killed

    whole: list[Epoch] = []
    rest: list[Epoch] = []
    entropix.fit(images, on_epoch=whole.append, **SETTINGS)
    with pytest.raises(Killed):
        entropix.fit(images, out=tmp_path / "model", on_epoch=stop, **SETTINGS)
    entropix.fit(images, out=tmp_path / "model", resume=True, on_epoch=rest.append, **SETTINGS)
    assert measured(rest) == {epoch: values for epoch, values in measured(whole).items() if epoch > 3}


def test_what_is_measured() -> None:
    """A perfect autoencoder keeps all of the entropy, one whose reconstructions are alike nothing, and the error is
    that of the held-out images."""
    x = torch.from_numpy(entropix.datasets.phantoms(150, factors=3, image_size=32).images) * 2 - 1
    watch = Watch(Progress("", 1, enabled=False), x, 600, 1)
    same = watch.measure(torch.nn.Identity())
    assert same["error_held_out"] == 0
    assert same["entropy"] == pytest.approx(same["entropy_images"], abs=0.3)
    halves = watch.measure(_Scaled(0.5))
    assert halves["error_held_out"] == pytest.approx((x / 2).square().mean().item(), rel=1e-5)
    assert halves["entropy_images"] == same["entropy_images"]
    dimension = entropix.intrinsic_dimension(x.flatten(1)).value
    assert 1 < same["entropy"] - halves["entropy"] < dimension * np.log(2)  # m ln 2 for m dimensions of signal
    assert watch.measure(_Scaled(0.0))["entropy"] < same["entropy"] - 10


def test_the_model_is_left_as_it_was() -> None:
    model = Autoencoder(2, image_size=16).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    watch = Watch(Progress("", 1, enabled=False), torch.rand(40, 1, 16, 16), 100, 1)
    state = torch.get_rng_state()
    watch.measure(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_bar_says_what_comes_after_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    bar = Progress("training", 2, enabled=False)
    monkeypatch.setattr(bar, "message", said.append)
    watch = Watch(bar, torch.rand(40, 1, 16, 16), 100, 2)
    watch(1, 1.0, torch.nn.Identity())
    assert said == []
    watch(2, 1.0, torch.nn.Identity())
    assert said == ["trained, measuring"]


def test_nothing_is_measured_unless_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "measure", lambda *_: pytest.fail("measured"))
    Watch(Progress("", 4, enabled=False), torch.rand(40, 1, 16, 16), 100, 4)(4, 1.0, torch.nn.Identity())


@pytest.mark.parametrize(
    ("n", "epochs"), [(80, 600), (1000, 25), (1000, 100), (1000, 250), (10_000, 25), (100_000, 25)]
)
def test_cost(n: int, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images through the autoencoder stay under 1.5 % of those of the training; the end is among the moments."""
    monkeypatch.undo()
    held_out = torch.empty(n // 5, 1, 1, 1)
    n_train = n - len(held_out)
    watch = Watch(Progress("", epochs, enabled=False), held_out, n_train, epochs)
    moments = [epoch for epoch in range(1, epochs + 1) if (epochs - epoch) % watch.every == 0]
    assert moments[-1] == epochs
    assert 3 <= len(moments) <= watching.MOMENTS
    assert len(watch.images) * len(moments) < 0.015 * 3 * n_train * epochs


class _Scaled(torch.nn.Module):
    """Images times a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor
