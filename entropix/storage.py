"""Detectors on disk: `model.safetensors` (every tensor) and `detector.json` (everything else), nothing executable."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from entropix.device import resolve_device
from entropix.estimators import Entropy
from entropix.files import check_new_folder, new_folder
from entropix.models import Autoencoder
from entropix.scoring import LatentModel, ResidualModel

if TYPE_CHECKING:
    from entropix.detector import EntropixDetector

FORMAT = "entropix-detector"
VERSION = 1
TENSORS, DESCRIPTION = "model.safetensors", "detector.json"
PARTS = {"residual": ResidualModel, "latent": LatentModel}


class ModelError(ValueError):
    """A folder that holds no usable model. The message says what was found and what to do."""


def check_free(folder: Path, overwrite: bool) -> None:
    """Raise OSError unless a model may be written to `folder`: a new or empty one, or a model's if `overwrite`."""
    if (folder / DESCRIPTION).exists() and not overwrite:
        raise FileExistsError(
            f"{folder} already holds a model; choose another folder, or replace it with overwrite=True (--overwrite)"
        )
    check_new_folder(folder, replaceable=(TENSORS, DESCRIPTION))


def save(detector: EntropixDetector, folder: Path, overwrite: bool) -> Path:
    """See `EntropixDetector.save`."""
    from safetensors.torch import save_file

    check_free(folder, overwrite)
    with new_folder(folder) as scratch:
        save_file(_tensors(detector), scratch / TENSORS)
        (scratch / DESCRIPTION).write_text(json.dumps(_description(detector), indent=1), encoding="utf-8")
    return folder


def load(folder: Path, device: str) -> EntropixDetector:
    """See `entropix.load`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from entropix.detector import EntropixDetector

    target = resolve_device(device)
    about = _read_description(folder)
    try:
        tensors = load_file(folder / TENSORS)
        model = Autoencoder(**about["model"])
        model.load_state_dict(_part(tensors, "model"))
        tensors = {name: tensor.to(target) for name, tensor in tensors.items()}
        parts = {name: kind(**_part(tensors, name)) for name, kind in PARTS.items()}
        value_range = about["value_range"]
        return EntropixDetector(
            model_=model.to(target).eval(),
            residual_model_=parts["residual"],
            latent_model_=parts["latent"],
            value_range_=None if value_range is None else (float(value_range[0]), float(value_range[1])),
            entropy_=None if about["entropy"] is None else _entropy(about["entropy"]),
            reason_=about["reason"],
            curve_=about["curve"],
            history_=about["history"],
            settings_=about["settings"],
        )
    except torch.OutOfMemoryError:
        raise
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelError(f"{folder} holds a damaged model ({error}); fit it again") from error


def _tensors(detector: EntropixDetector) -> dict[str, Tensor]:
    parts: dict[str, dict[str, Tensor]] = {"model": detector.model_.state_dict()}
    for name in PARTS:
        model = getattr(detector, f"{name}_model_")
        parts[name] = {field.name: getattr(model, field.name) for field in fields(model)}
    return {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def _part(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}


def _description(detector: EntropixDetector) -> dict[str, Any]:
    model = detector.model_
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": {
            "latent_dim": model.latent_dim,
            "channels": model.channels,
            "image_size": model.image_size,
        },
        "value_range": detector.value_range_,
        "entropy": None if detector.entropy_ is None else detector.entropy_.to_dict(),
        "reason": detector.reason_,
        "curve": detector.curve_,
        "history": detector.history_,
        "settings": detector.settings_,
    }


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
