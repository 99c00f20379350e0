"""Model folders: the format that is read, and errors that keep their name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import entropix
from entropix.exceptions import ModelError
from entropix.models import ARCHITECTURES, Autoencoder


@pytest.fixture(scope="module")
def model(images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    entropix.fit(images, latent_dim=2, image_size=16, epochs=1, device="cpu", progress=False, out=folder)
    return folder


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def change(folder: Path, **values: Any) -> None:
    """Write other values to the description; a value of None is left out."""
    path = folder / "detector.json"
    about = json.loads(path.read_text()) | values
    path.write_text(
        json.dumps({name: value for name, value in about.items() if value is not None or name == "entropy"})
    )


@pytest.mark.parametrize("version", [6, 7, 99, "8", [], True])
def test_other_versions_are_refused(copy: Path, version: Any) -> None:
    change(copy, version=version)
    with pytest.raises(ModelError, match=r"format version .* reads 8: .* or fit again"):
        entropix.load(copy)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"architecture": "unheard-of"}, "an architecture that this entropix does not know"),
        ({"model": {"latent_dim": 3, "channels": 1, "image_size": 16}}, "its weights are not those of"),
        ({"model": {"latent_dim": "2"}}, "sizes"),
        ({"history": "none"}, "has no history"),
        ({"kind": "vectors"}, "a convolutional autoencoder is not of vectors"),
        ({"parameters": {"alpha": None}}, "damaged"),
        ({"parameters": {"alpha": 5}}, "damaged"),
        ({"value_range": [1]}, "value_range"),
        ({"entropy": {"value": 1.0}}, "its entropy is not whole"),
        ({"parameters": {"wings": 2}}, "unexpected keyword argument 'wings'"),
    ],
)
def test_descriptions_that_are_not_whole(copy: Path, values: dict[str, Any], message: str) -> None:
    change(copy, **values)
    with pytest.raises(ModelError, match=message):
        entropix.load(copy)


@pytest.mark.parametrize(
    "lost", ["latent_model.mean", "network.stages.0.0.bias", "calibration.peak", "residual_model.place"]
)
def test_tensors_that_are_missing(copy: Path, lost: str) -> None:
    tensors = load_file(copy / "model.safetensors")
    save_file({name: tensor for name, tensor in tensors.items() if name != lost}, copy / "model.safetensors")
    with pytest.raises(ModelError, match="damaged"):
        entropix.load(copy)


def test_calibrations_that_are_none(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    save_file(tensors | {"calibration.surprisal": torch.empty(0)}, copy / "model.safetensors")
    with pytest.raises(ModelError, match="calibration"):
        entropix.load(copy)


def test_a_model_of_no_known_architecture_is_not_saved(images: np.ndarray, tmp_path: Path) -> None:
    detector = entropix.fit(images, latent_dim=2, image_size=16, epochs=1, device="cpu", progress=False)
    detector.model_ = type("Own", (Autoencoder,), {})(2, 1, 16)
    with pytest.raises(ValueError, match=r"Own is not in entropix\.models\.ARCHITECTURES"):
        detector.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), TypeError("a bug of ours"), torch.OutOfMemoryError()])
def test_what_is_not_damage_keeps_its_name(model: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A failing device and a mistake in the code are not a damaged model."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(Autoencoder, "to", fail)
    monkeypatch.setattr(torch.nn.Module, "eval", fail)
    with pytest.raises(type(error)) as caught:
        entropix.load(model)
    assert caught.value is error


def test_an_architecture_of_ones_own(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class and a line in the registry: every strategy trains it, and its model is loaded."""

    class Narrow(Autoencoder):
        pass

    monkeypatch.setitem(ARCHITECTURES, "narrow", Narrow)
    monkeypatch.setattr("entropix.strategies._select.CANDIDATES", (1, 2, 4))
    detector = entropix.fit(images, architecture="narrow", image_size=16, epochs=1, device="cpu", progress=False)
    assert type(detector.model_) is Narrow
    again = entropix.load(detector.save(tmp_path / "model"), device="cpu")
    assert type(again.model_) is Narrow
    np.testing.assert_array_equal(again.anomaly_score(images), detector.anomaly_score(images))
