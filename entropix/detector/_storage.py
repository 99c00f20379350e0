"""Detectors on disk: `model.safetensors` (every tensor) and `detector.json` (everything else), nothing executable."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from entropix._utils import check_new_folder, new_folder, resolve_device
from entropix.data import Standard
from entropix.detector._fitted import Fitted
from entropix.detector._model_format import DESCRIPTION, FORMAT, TENSORS, VERSION, damaged, read_description
from entropix.detector._parts import calibration, entropy, fill, foreign_network, load_network, part_of, value_range
from entropix.models import ARCHITECTURES
from entropix.scoring import ActivationModel, FeatureModel, LatentModel, ResidualModel
from entropix.training import Fingerprints


@dataclass(frozen=True)
class Stored:
    """The contents of a model folder.

    Attributes:
        fitted: what the fit learnt.
        parameters: arguments of the detector's constructor, without the device.
        feature_names: names of the columns of vectors, where they have any.
    """

    fitted: Fitted
    parameters: dict[str, Any]
    feature_names: list[str] | None


def check_free(folder: Path, overwrite: bool) -> None:
    """Raise OSError unless a model may be written to `folder`: a new or empty one, or a model's if `overwrite`."""
    if (folder / DESCRIPTION).exists() and not overwrite:
        raise FileExistsError(
            f"{folder} already holds a model; choose another folder, or replace it with overwrite=True (--overwrite)"
        )
    check_new_folder(folder, replaceable=(TENSORS, DESCRIPTION))


def save(stored: Stored, folder: Path, overwrite: bool) -> Path:
    """Write a detector to `folder`, and return the folder (see `EntropixDetector.save`)."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    check_free(folder, overwrite)
    about = _description(stored)
    with new_folder(folder) as scratch:
        try:
            save_file(_tensors(stored.fitted), scratch / TENSORS)
        except SafetensorError as error:  # such as for a full disk
            raise OSError(f"{folder} can't be written: {error}") from error
        (scratch / DESCRIPTION).write_text(json.dumps(about, indent=1), encoding="utf-8")
    return folder


def load(folder: Path, device: str) -> Stored:
    """Read what `save` wrote.

    Everything in the files is checked before it is used; an error that comes later is no damage, and keeps its name.

    Raises:
        ModelError: no model, a damaged one, or one of another format.
    """
    target = resolve_device(device)
    about = read_description(folder)
    tensors = _read_tensors(folder)
    images = about["kind"] == "images"
    model = load_network(folder, ARCHITECTURES[about["architecture"]], about["model"], part_of(tensors, "model"))
    if not images:
        model.double()
    # the layout that it was trained in, so that both compute the same to the last bit
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    on_device = {name: tensor.to(target) for name, tensor in tensors.items()}
    network, residual, latent = (part_of(on_device, part) for part in ("network", "residual_model", "latent_model"))
    return Stored(
        Fitted(
            model=model.to(target).eval(),
            network=foreign_network(folder, network, about["model"]["channels"]) if images else None,
            residual_model=fill(folder, ResidualModel, residual) if images else fill(folder, FeatureModel, residual),
            latent_model=fill(folder, ActivationModel, latent) if images else fill(folder, LatentModel, latent),
            calibration=calibration(folder, part_of(tensors, "calibration")),
            fingerprints=fill(folder, Fingerprints, part_of(on_device, "fingerprints")) if images else None,
            value_range=value_range(folder, about.get("value_range")),
            standard=None if images else fill(folder, Standard, part_of(tensors, "standard")),
            entropy=entropy(folder, about.get("entropy")),
            reason=about["reason"],
            curve=about["curve"],
            history=about["history"],
            settings=about["settings"],
        ),
        about["parameters"],
        about.get("feature_names"),
    )


def _tensors(fitted: Fitted) -> dict[str, Tensor]:
    parts: dict[str, dict[str, Tensor]] = {
        "model": fitted.model.state_dict(),
        "network": {} if fitted.network is None else fitted.network.state_dict(),
        "residual_model": _named_tensors(fitted.residual_model),
        "latent_model": _named_tensors(fitted.latent_model),
        "calibration": fitted.calibration.tensors(),
        "fingerprints": {} if fitted.fingerprints is None else _named_tensors(fitted.fingerprints),
        "standard": {} if fitted.standard is None else _named_tensors(fitted.standard),
    }
    return {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def _named_tensors(part: Any) -> dict[str, Tensor]:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _description(stored: Stored) -> dict[str, Any]:
    fitted = stored.fitted
    kind = type(fitted.model)
    architecture = next((name for name, known in ARCHITECTURES.items() if known is kind), None)
    if architecture is None:
        raise ValueError(
            f"{kind.__name__} is not in entropix.models.ARCHITECTURES, so it could not be loaded; add it there"
        )
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": "images" if fitted.standard is None else "vectors",
        "architecture": architecture,
        "parameters": {name: _plain(value) for name, value in stored.parameters.items()},
        "model": fitted.model.config,
        "feature_names": stored.feature_names,
        "value_range": fitted.value_range,
        "entropy": None if fitted.entropy is None else fitted.entropy.to_dict(),
        "reason": fitted.reason,
        "curve": fitted.curve,
        "history": fitted.history,
        "settings": fitted.settings,
    }


def _plain(value: Any) -> Any:
    """The Python number that equals one of NumPy; other values as they are."""
    return value.item() if isinstance(value, np.generic) else value


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        # in the file tensors lie at any address, and products of memory that is not aligned differ in the last bit
        return {name: tensor.clone() for name, tensor in load_file(folder / TENSORS).items()}
    except (OSError, SafetensorError, ValueError) as error:
        raise damaged(folder, error) from error
