"""Detectors on disk: `model.safetensors` (every tensor) and `detector.json` (everything else), nothing executable."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from entropix._utils import check_new_folder, new_folder, resolve_device
from entropix.data import Standard
from entropix.detector._learn import Fitted
from entropix.estimators import Entropy
from entropix.exceptions import ModelError
from entropix.models import Autoencoder, DenseAutoencoder
from entropix.scoring import Calibration, FeatureModel, LatentModel, ResidualModel, ScaleNetwork

if TYPE_CHECKING:
    from entropix.detector._detector import EntropixDetector

FORMAT = "entropix-detector"
VERSION = 5
TENSORS, DESCRIPTION = "model.safetensors", "detector.json"


def check_free(folder: Path, overwrite: bool) -> None:
    """Raise OSError unless a model may be written to `folder`: a new or empty one, or a model's if `overwrite`."""
    if (folder / DESCRIPTION).exists() and not overwrite:
        raise FileExistsError(
            f"{folder} already holds a model; choose another folder, or replace it with overwrite=True (--overwrite)"
        )
    check_new_folder(folder, replaceable=(TENSORS, DESCRIPTION))


def save(detector: EntropixDetector, folder: Path, overwrite: bool) -> Path:
    """See `EntropixDetector.save`."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    check_free(folder, overwrite)
    with new_folder(folder) as scratch:
        try:
            save_file(_tensors(detector), scratch / TENSORS)
        except SafetensorError as error:  # what it makes of a full disk
            raise OSError(f"{folder} can't be written: {error}") from error
        (scratch / DESCRIPTION).write_text(json.dumps(_description(detector), indent=1), encoding="utf-8")
    return folder


def load(folder: Path, device: str) -> EntropixDetector:
    """See `entropix.load`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from entropix.detector._detector import EntropixDetector

    target = resolve_device(device)
    about = _read_description(folder)
    try:
        # in the file tensors lie at any address, and products of memory that is not aligned differ in the last bit
        tensors = {name: tensor.clone() for name, tensor in load_file(folder / TENSORS).items()}
        images = about["kind"] == "images"
        with torch.device("meta"):  # no memory for sizes that the tensors, which are there, don't have
            model = Autoencoder(**about["model"]) if images else DenseAutoencoder(**about["model"]).double()
        model.load_state_dict(_part(tensors, "model"), assign=True)
        # the layout that it was trained in, so that both compute the same to the last bit
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        calibration = Calibration(**_part(tensors, "calibration"))
        standard = None if images else Standard(**_part(tensors, "standard"))
        tensors = {name: tensor.to(target) for name, tensor in tensors.items()}
        value_range = about["value_range"]
        fitted = Fitted(
            model=model.to(target).eval(),
            residual_model=(
                _residual_model(tensors, about["model"]) if images else FeatureModel(**_part(tensors, "residual_model"))
            ),
            latent_model=LatentModel(**_part(tensors, "latent_model")),
            calibration=calibration,
            value_range=None if value_range is None else (float(value_range[0]), float(value_range[1])),
            standard=standard,
            entropy=None if about["entropy"] is None else _entropy(about["entropy"]),
            reason=about["reason"],
            curve=about["curve"],
            history=about["history"],
            settings=about["settings"],
        )
        detector = EntropixDetector.from_fitted(fitted, **about["parameters"], device=device)
        if not images:
            detector.n_features_in_ = model.n_features
        if about["feature_names"] is not None:
            detector.feature_names_in_ = np.array(about["feature_names"], dtype=object)
        return detector
    except torch.OutOfMemoryError:
        raise
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelError(f"{folder} holds a damaged model ({error}); fit it again") from error


def _tensors(detector: EntropixDetector) -> dict[str, Tensor]:
    parts: dict[str, dict[str, Tensor]] = {"model": detector.model_.state_dict()}
    for name in ("residual_model", "latent_model", "calibration", "standard"):
        part = getattr(detector, f"{name}_")
        if part is not None:
            parts[name] = _named_tensors(part)
    return {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def _named_tensors(part: Any) -> dict[str, Tensor]:
    """The fields of a dataclass, of which some may be modules."""
    named: dict[str, Tensor] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, nn.Module):
            named |= {f"{field.name}.{name}": tensor for name, tensor in value.state_dict().items()}
        else:
            named[field.name] = value
    return named


def _residual_model(tensors: dict[str, Tensor], model: dict[str, int]) -> ResidualModel:
    known = _part(tensors, "residual_model")
    weights = _part(known, "network")
    with torch.device("meta"):
        network = ScaleNetwork(model["channels"], model["image_size"])
    network.load_state_dict(weights, assign=True)
    fitted = {name: tensor for name, tensor in known.items() if not name.startswith("network.")}
    return ResidualModel(**fitted, network=network.requires_grad_(False))


def _part(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}


def _description(detector: EntropixDetector) -> dict[str, Any]:
    model = detector.model_
    images = detector.standard_ is None
    shape = ("latent_dim", "channels", "image_size") if images else ("latent_dim", "n_features")
    parameters = {name: _plain(value) for name, value in detector.get_params().items() if name != "device"}
    names = getattr(detector, "feature_names_in_", None)
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": "images" if images else "vectors",
        "parameters": parameters,
        "model": {name: getattr(model, name) for name in shape},
        "feature_names": None if names is None else list(names),
        "value_range": detector.value_range_,
        "entropy": None if detector.entropy_ is None else detector.entropy_.to_dict(),
        "reason": detector.reason_,
        "curve": detector.curve_,
        "history": detector.history_,
        "settings": detector.settings_,
    }


def _plain(value: Any) -> Any:
    """A Python number for one of NumPy."""
    return value.item() if isinstance(value, np.generic) else value


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise ModelError(f"{folder} is no model folder: it has no {DESCRIPTION}. Expected what `entropix fit` wrote")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}); fit the model again") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ModelError(f"{path} does not describe an entropix detector; expected what `entropix fit` wrote")
    if about.get("version") != VERSION:
        raise ModelError(
            f"{path} has format version {about.get('version')}, this entropix reads {VERSION}: "
            "use the entropix that wrote it, or fit again"
        )
    return about


def _entropy(about: dict[str, Any]) -> Entropy:
    known = {f.name for f in fields(Entropy)}
    values = {name: value for name, value in about.items() if name in known}
    return Entropy(**values | {"ci": tuple(values["ci"]), "warnings": tuple(values["warnings"])})
