"""Several autoencoders trained at once are those trained one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import DEVICES

import entropix
from entropix.baseline import _sweep as sweeping
from entropix.baseline._batched import SquaredErrors
from entropix.baseline._result import SweepRow
from entropix.models import Autoencoder, BatchedAutoencoders
from entropix.training import squared_error, train

DIMS = (1, 3, 2)
SETTINGS: dict[str, Any] = {"image_size": 16, "epochs": 3, "device": "cpu", "progress": False, "dims": DIMS}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_is_batched", lambda *_: True)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_trains_as_it_would_alone(device: str, channels: int) -> None:
    images = torch.rand(150, channels, 16, 16, dtype=torch.float64, device=device) * 2 - 1
    alone = [Autoencoder(d, channels, 16).double().to(device) for d in DIMS]
    stack = BatchedAutoencoders(alone)
    objective = SquaredErrors(stack)
    stack_losses = train(stack, images, objective, epochs=4, seed=1, on_epoch=lambda *_: objective.end_epoch())
    losses = [train(model, images, squared_error(model), epochs=4, seed=1) for model in alone]
    # losses are added up in single precision
    np.testing.assert_allclose(objective.history.T.cpu(), losses, rtol=1e-6)
    np.testing.assert_allclose(stack_losses, np.sum(losses, axis=0), rtol=1e-6)
    for model, together in zip(alone, stack.models(), strict=True):
        assert not together.training
        torch.testing.assert_close(together(images), model(images), rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(together.state_dict(), model.state_dict(), rtol=1e-5, atol=1e-8)


def test_what_pads_the_codes_stays_zero() -> None:
    stack = BatchedAutoencoders([Autoencoder(d, 1, 16) for d in DIMS])
    train(stack, torch.rand(64, 1, 16, 16), SquaredErrors(stack), epochs=3, seed=0)
    state = stack.state_dict()
    assert not state["to_code/weight"][0, 1:].any()
    assert not state["from_code/weight"][0, :, 1:].any()
    assert state["to_code/weight"][1].all(1).all()


@pytest.mark.slow
def test_a_batched_sweep_is_that_one_by_one(
    images: np.ndarray, mixed: entropix.datasets.Phantoms, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = SETTINGS | {"test": mixed.images, "labels": mixed.labels, "seeds": (0, 1)}
    together = entropix.sweep(images, **asked)
    monkeypatch.undo()
    apart = entropix.sweep(images, **asked)
    assert [(row.latent_dim, row.seed) for row in together.rows] == [(d, seed) for seed in (0, 1) for d in DIMS]
    for one, other in zip(together.rows, apart.rows, strict=True):
        assert one.error_train == pytest.approx(other.error_train, rel=2e-2)
        assert one.error_test_abnormal == pytest.approx(other.error_test_abnormal, rel=2e-2)
        key = (one.latent_dim, one.seed)
        known = apart.detectors[key]
        assert together.detectors[key].settings_ == known.settings_
        assert together.detectors[key].history_ == pytest.approx(known.history_, rel=2e-2)


def test_it_goes_on_where_it_was_interrupted(
    images: np.ndarray, at_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = entropix.sweep(images, **SETTINGS)

    class Killed(Exception):
        pass

    def stop(row: SweepRow) -> None:
        raise Killed

    with pytest.raises(Killed):
        entropix.sweep(images, out=tmp_path / "sweep", on_row=stop, **SETTINGS)
    monkeypatch.setattr(BatchedAutoencoders, "forward", None)  # nothing is left to train
    resumed = entropix.sweep(images, out=tmp_path / "sweep", resume=True, **SETTINGS)
    assert resumed.rows == whole.rows
    assert [resumed.detector(d).history_ for d in DIMS] == [whole.detector(d).history_ for d in DIMS]
