"""A training with too little memory, and one that is stopped: what the user is left with."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import contents
from torch import Tensor, nn

import entropix
from entropix._utils._batches import MemoryWarning
from entropix._utils._console import Epoch
from entropix.models import Autoencoder
from entropix.training import _checkpoint as checkpoint
from entropix.training import _stepping as stepping
from entropix.training import squared_error, train

SETTINGS: dict[str, Any] = {"image_size": 16, "epochs": 4, "device": "cpu", "progress": False}

pytestmark = pytest.mark.usefixtures("few_candidates")


@pytest.fixture(autouse=True)
def _ctrl_c() -> Iterator[None]:
    """As on a terminal: what a shell starts in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def trained(most: int, sizes: list[int]) -> tuple[list[float], Tensor]:
    """Losses and weights of a linear autoencoder on a device that holds the gradients of so many rows at a time."""
    torch.manual_seed(0)
    model, rows = nn.Linear(5, 5), torch.rand(130, 5)
    objective = squared_error(model)

    def limited(batch: Tensor, generator: torch.Generator) -> Tensor:
        loss = objective(batch, generator)
        if len(batch) > most:
            torch.empty(10**15)  # the processor's own error; a GPU's is in the test of a whole fit
        sizes.append(len(batch))
        return loss

    losses = train(model, rows, limited, epochs=3, seed=0)
    return losses, model.weight.detach()


def test_gradients_of_parts_are_those_of_the_batch() -> None:
    whole, sizes = [], []
    expected = trained(64, whole)
    with pytest.warns(MemoryWarning) as warned:
        losses, weights = trained(20, sizes)
    assert [str(one.message) for one in warned] == [
        "out of memory; going on with gradients of 32 images at a time, added up to those of 64",
        "out of memory; going on with gradients of 16 images at a time, added up to those of 64",
    ]
    assert whole == [64] * 6
    assert sizes == [16] * 24  # from the first step on, and without trying more again
    np.testing.assert_allclose(losses, expected[0], rtol=1e-6)
    torch.testing.assert_close(weights, expected[1], rtol=1e-5, atol=1e-6)


def test_two_images_that_do_not_fit_are_an_error() -> None:
    with pytest.warns(MemoryWarning) as warned, pytest.raises(RuntimeError, match="can't allocate memory"):
        trained(1, [])
    assert "gradients of 2 images" in str(warned[-1].message)


def test_processes_do_not_part_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping.parallel, "processes", lambda: 2)
    with pytest.raises(torch.OutOfMemoryError):
        stepping.Gradients(lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError()), _optimizer(), Tensor.backward)(
            torch.rand(64, 5), torch.Generator()
        )


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.Adam(nn.Linear(1, 1).parameters())


def test_fit_with_little_memory(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Autoencoder.encode

    def limited(model: Autoencoder, x: Tensor) -> Tensor:
        if model.training and len(x) > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(model, x)

    monkeypatch.setattr(Autoencoder, "encode", limited)
    with pytest.warns(MemoryWarning) as warned:
        detector = entropix.fit(images, latent_dim=2, **SETTINGS)
    assert any("gradients of 16 images" in str(one.message) for one in warned)
    assert detector.history_[-1] < detector.history_[0]
    assert np.isfinite(detector.anomaly_score(images)).all()


def at_epoch(epoch: int) -> Callable[[Epoch], None]:
    """Ctrl-C after this epoch."""

    def press(at: Epoch) -> None:
        if at.epoch == epoch:
            os.kill(os.getpid(), signal.SIGINT)

    return press


@pytest.mark.parametrize(
    "options",
    [{}, {"strategy": "prune"}, {"strategy": "constrain"}, {"latent_dim": 3}],
    ids=["select", "prune", "constrain", "fixed"],
)
def test_ctrl_c_leaves_a_model_and_a_way_on(
    images: np.ndarray, tmp_path: Path, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    asked = SETTINGS | options
    entropix.fit(images, out=tmp_path / "whole", **asked)
    with pytest.raises(KeyboardInterrupt, match=r"--resume.*model.checkpoint; .*model holds a model of epoch 2"):
        entropix.fit(images, out=tmp_path / "model", on_epoch=at_epoch(2), **asked)
    assert caplog.messages == ["interrupted: making a model of epoch 2; Ctrl-C leaves it out"]
    detector = entropix.load(tmp_path / "model")
    assert len(detector.history_) == 2
    assert detector.settings_["stopped_after_epoch"] == 2
    assert np.isfinite(detector.anomaly_score(images)).all()
    assert detector.predict(images).mean() > 0.5
    kept = contents(tmp_path / "model.checkpoint")
    with pytest.raises(FileExistsError, match="interrupted run"):
        entropix.fit(images, out=tmp_path / "model", **asked)
    assert contents(tmp_path / "model.checkpoint") == kept
    entropix.fit(images, out=tmp_path / "model", resume=True, **asked)
    assert contents(tmp_path / "model") == contents(tmp_path / "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "model"}


def test_ctrl_c_after_the_cut(images: np.ndarray, tmp_path: Path) -> None:
    asked = SETTINGS | {"strategy": "prune", "epochs": 10}
    entropix.fit(images, out=tmp_path / "whole", **asked)
    with pytest.raises(KeyboardInterrupt, match="a model of epoch 9"):
        entropix.fit(images, out=tmp_path / "model", on_epoch=at_epoch(9), **asked)
    assert entropix.load(tmp_path / "model").settings_["stopped_after_epoch"] == 9
    entropix.fit(images, out=tmp_path / "model", resume=True, **asked)
    assert contents(tmp_path / "model") == contents(tmp_path / "whole")


def test_ctrl_c_before_there_is_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_batches = entropix.datasets.phantoms(180, factors=3, image_size=16).images
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda *a, **k: (step(*a, **k), os.kill(os.getpid(), signal.SIGINT))[0]
    )
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted; .*model.checkpoint holds all but .*--resume"):
        entropix.fit(two_batches, out=tmp_path / "model", latent_dim=2, **SETTINGS)
    assert {path.name for path in tmp_path.iterdir()} == {"model.checkpoint"}
    with pytest.raises(KeyboardInterrupt):
        entropix.fit(two_batches, latent_dim=2, **SETTINGS)


@pytest.mark.parametrize("place", ["entropix.detector._fit.read", "entropix.training._training_data.split"])
@pytest.mark.parametrize("resume", [False, True])
def test_ctrl_c_before_the_training_begins_leaves_what_there_is(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool, place: str
) -> None:
    """A good model, and the checkpoint of an older run, whose epochs are not this one's."""
    out, asked = tmp_path / "model", SETTINGS | {"latent_dim": 2}
    with pytest.raises(KeyboardInterrupt, match="a model of epoch 2"):
        entropix.fit(images, out=out, on_epoch=at_epoch(2), **asked)
    before = contents(out), contents(tmp_path / "model.checkpoint")

    def press(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, press)
    data = images if resume else images[::-1]
    with pytest.raises(KeyboardInterrupt, match="--resume" if resume else "^$"):
        entropix.fit(data, out=out, resume=resume, overwrite=not resume, **asked)
    assert (contents(out), contents(tmp_path / "model.checkpoint")) == before


def test_what_is_read_is_read_once(images: np.ndarray, tmp_path: Path) -> None:
    """The model that Ctrl-C leaves is of the images that the training saw, which a data set may not give again."""

    class Noisy(torch.utils.data.Dataset[Tensor]):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, i: int) -> Tensor:
            return torch.from_numpy(images[i]) + 0.01 * torch.rand(images[i].shape)

    with pytest.raises(KeyboardInterrupt, match="holds a model of epoch 2"):
        entropix.fit(Noisy(), out=tmp_path / "model", latent_dim=2, on_epoch=at_epoch(2), **SETTINGS)
    assert len(entropix.load(tmp_path / "model").history_) == 2


def test_ctrl_c_before_the_autoencoder_is_trained_leaves_a_way_on(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The foreign-content network has completed epochs by then; a model without a trained autoencoder is none."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    entropix.fit(images, out=tmp_path / "whole", latent_dim=2, **SETTINGS)
    step, steps = torch.optim.Adam.step, iter(range(100))
    with monkeypatch.context() as patch:
        patch.setattr(
            torch.optim.Adam,
            "step",
            lambda *a, **k: (step(*a, **k), next(steps) == 2 and os.kill(os.getpid(), signal.SIGINT))[0],
        )
        with pytest.raises(KeyboardInterrupt, match=r"^interrupted; .*model.checkpoint holds all but .*--resume"):
            entropix.fit(images, out=tmp_path / "model", latent_dim=2, **SETTINGS)
    assert not (tmp_path / "model").exists()
    entropix.fit(images, out=tmp_path / "model", latent_dim=2, resume=True, **SETTINGS)
    assert contents(tmp_path / "model") == contents(tmp_path / "whole")


def test_second_ctrl_c_is_at_once(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("entropix.detector._detector.EntropixDetector.save", press)
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted; .*model.checkpoint holds all but .*--resume"):
        entropix.fit(images, out=tmp_path / "model", latent_dim=2, on_epoch=at_epoch(1), **SETTINGS)
    assert {path.name for path in tmp_path.iterdir()} == {"model.checkpoint"}


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_waits_for_the_end_of_the_block_once(times: int) -> None:
    seen = []

    def press() -> None:
        with stepping.deferred_interrupt() as pressed:
            seen.append(pressed())
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
                seen.append(pressed())

    with pytest.raises(KeyboardInterrupt):
        press()
    assert seen == [False, True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_somebody_else_stays() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with stepping.deferred_interrupt() as pressed:
            os.kill(os.getpid(), signal.SIGINT)
            assert not pressed()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_divergence_leaves_a_model_of_the_last_good_weights(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    step = torch.optim.Adam.step
    steps = iter(range(100))

    def spoil(optimizer: torch.optim.Adam, *a: Any, **k: Any) -> Any:
        result = step(optimizer, *a, **k)
        if next(steps) == 4 + 2:  # after those of the foreign-content network
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0].fill_(torch.nan)
        return result

    monkeypatch.setattr(torch.optim.Adam, "step", spoil)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r"\d+ epochs were too few")
        with pytest.raises(FloatingPointError, match=r"became nan in epoch 4 of 4.*holds a model of epoch 2"):
            entropix.fit(images, out=tmp_path / "model", latent_dim=2, **SETTINGS)
    detector = entropix.load(tmp_path / "model")
    assert len(detector.history_) == 2
    assert np.isfinite(detector.anomaly_score(images)).all()
