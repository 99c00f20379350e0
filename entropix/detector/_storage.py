"""Detectors on disk: `model.safetensors` (every tensor) and `detector.json` (everything else), nothing executable.

Every format from version 5 on stays readable: for each version but the present one, `MIGRATIONS` has the function that
turns a description of that version into one of the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from entropix._utils import check_new_folder, new_folder, resolve_device
from entropix.data import Standard
from entropix.detector._fitted import Fitted
from entropix.estimators import Entropy
from entropix.exceptions import ModelError
from entropix.models import ARCHITECTURES
from entropix.scoring import Calibration, FeatureModel, LatentModel, ResidualModel, ScaleNetwork

FORMAT = "entropix-detector"
VERSION = 6
LARGEST_SIZE = 2**16  # the largest size of a network that is believed
TENSORS, DESCRIPTION = "model.safetensors", "detector.json"
NEEDED = {
    "kind": str,
    "architecture": str,
    "parameters": dict,
    "model": dict,
    "reason": str,
    "curve": list,
    "history": list,
    "settings": dict,
}

Network = TypeVar("Network", bound=nn.Module)
Part = TypeVar("Part")


def _name_architecture(about: dict[str, Any]) -> dict[str, Any]:
    """Version 5 knew one architecture for each kind of input."""
    return about | {"version": 6, "architecture": "convolutional" if about.get("kind") == "images" else "dense"}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {5: _name_architecture}


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
    with new_folder(folder) as scratch:
        try:
            save_file(_tensors(stored.fitted), scratch / TENSORS)
        except SafetensorError as error:  # such as for a full disk
            raise OSError(f"{folder} can't be written: {error}") from error
        (scratch / DESCRIPTION).write_text(json.dumps(_description(stored), indent=1), encoding="utf-8")
    return folder


def load(folder: Path, device: str) -> Stored:
    """Read what `save` wrote.

    Everything in the files is checked before it is used, so that no later error hides that a file is damaged.

    Raises:
        ModelError: no model, a damaged one, or one of another format.
    """
    target = resolve_device(device)
    about = _read_description(folder)
    tensors = _read_tensors(folder)
    images = about["kind"] == "images"
    model = _network(folder, ARCHITECTURES.get(about["architecture"]), about["model"], _part(tensors, "model"))
    if not images:
        model.double()
    # the layout that it was trained in, so that both compute the same to the last bit
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    on_device = {name: tensor.to(target) for name, tensor in tensors.items()}
    residual = _part(on_device, "residual_model")
    return Stored(
        Fitted(
            model=model.to(target).eval(),
            residual_model=(
                _residual_model(folder, residual, about["model"]) if images else _fill(folder, FeatureModel, residual)
            ),
            latent_model=_fill(folder, LatentModel, _part(on_device, "latent_model")),
            calibration=_calibration(folder, _part(tensors, "calibration")),
            value_range=_value_range(folder, about.get("value_range")),
            standard=None if images else _fill(folder, Standard, _part(tensors, "standard")),
            entropy=_entropy(folder, about.get("entropy")),
            reason=about["reason"],
            curve=about["curve"],
            history=about["history"],
            settings=about["settings"],
        ),
        about["parameters"],
        about.get("feature_names"),
    )


def damaged(folder: Path, reason: object) -> ModelError:
    """Return the error for a model that can't be used."""
    return ModelError(f"{folder} holds a damaged model ({reason}); fit it again")


def _tensors(fitted: Fitted) -> dict[str, Tensor]:
    parts: dict[str, dict[str, Tensor]] = {
        "model": fitted.model.state_dict(),
        "residual_model": _named_tensors(fitted.residual_model),
        "latent_model": _named_tensors(fitted.latent_model),
        "calibration": fitted.calibration.held_out,
        "standard": {} if fitted.standard is None else _named_tensors(fitted.standard),
    }
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


def _description(stored: Stored) -> dict[str, Any]:
    fitted = stored.fitted
    architecture = next(name for name, kind in ARCHITECTURES.items() if type(fitted.model) is kind)
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
    found = about.get("version")
    while about.get("version") in MIGRATIONS:
        about = MIGRATIONS[about["version"]](about)
    if about.get("version") != VERSION:
        raise ModelError(
            f"{path} has format version {found}, this entropix reads {min(MIGRATIONS)} to {VERSION}: "
            "use the entropix that wrote it, or fit again"
        )
    for name, kind in NEEDED.items():
        if not isinstance(about.get(name), kind):
            raise damaged(folder, f"{DESCRIPTION} has no {name}")
    return about


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        # in the file tensors lie at any address, and products of memory that is not aligned differ in the last bit
        return {name: tensor.clone() for name, tensor in load_file(folder / TENSORS).items()}
    except (OSError, SafetensorError, ValueError) as error:
        raise damaged(folder, error) from error


def _part(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}


def _network(
    folder: Path, kind: Callable[..., Network] | None, config: dict[str, Any], weights: dict[str, Tensor]
) -> Network:
    """A network of these sizes with these weights, if they go together."""
    if kind is None:
        raise damaged(folder, f"an architecture that this entropix does not know; it knows {', '.join(ARCHITECTURES)}")
    sizes = set(signature(kind).parameters)
    if set(config) != sizes or not all(type(size) is int and 0 < size <= LARGEST_SIZE for size in config.values()):
        raise damaged(folder, f"sizes {config}; expected {', '.join(sorted(sizes))} up to {LARGEST_SIZE:,}")
    try:
        with torch.device("meta"):  # takes no memory, however large the sizes that a damaged file claims
            network = kind(**config)
    except ValueError as error:  # sizes that don't go together
        raise damaged(folder, f"sizes {config}: {error}") from error
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in weights.items()}:
        raise damaged(folder, f"its weights are not those of a {type(network).__name__} of {config}")
    network.load_state_dict(weights, assign=True)
    return network


def _fill(folder: Path, kind: Callable[..., Part], tensors: dict[str, Any]) -> Part:
    """A dataclass of tensors, if all of its fields are there and no others."""
    needed = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if set(tensors) != needed:
        raise damaged(folder, f"it has {', '.join(sorted(tensors))} instead of {', '.join(sorted(needed))}")
    return kind(**tensors)


def _residual_model(folder: Path, tensors: dict[str, Tensor], model: dict[str, int]) -> ResidualModel:
    sizes = {"channels": model["channels"], "image_size": model["image_size"]}
    network = _network(folder, ScaleNetwork, sizes, _part(tensors, "network"))
    fitted = {name: tensor for name, tensor in tensors.items() if not name.startswith("network.")}
    return _fill(folder, ResidualModel, fitted | {"network": network.requires_grad_(False)})


def _calibration(folder: Path, tensors: dict[str, Tensor]) -> Calibration:
    needed = {"surprisal", "residual", "peak"}  # other scores may be newer than the model
    if not needed <= set(tensors):
        raise damaged(folder, f"its calibration lacks {', '.join(sorted(needed - set(tensors)))}")
    return Calibration(tensors)


def _value_range(folder: Path, found: Any) -> tuple[float, float] | None:
    if found is None:
        return None
    if not (isinstance(found, list) and len(found) == 2 and all(isinstance(end, int | float) for end in found)):
        raise damaged(folder, f"value_range {found}")
    return float(found[0]), float(found[1])


def _entropy(folder: Path, found: Any) -> Entropy | None:
    if found is None:
        return None
    known = {field.name for field in fields(Entropy)} - {"local"}
    if not isinstance(found, dict) or not known <= set(found):
        raise damaged(folder, "its entropy is not whole")
    values = {name: value for name, value in found.items() if name in known}
    return Entropy(**values | {"ci": tuple(values["ci"]), "warnings": tuple(values["warnings"])})
