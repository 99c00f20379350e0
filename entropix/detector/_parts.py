"""The parts of a detector from the tensors of its file, each checked before it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from entropix.detector._model_format import damaged
from entropix.estimators import Entropy
from entropix.scoring import DEFAULT_SCORE, Calibration, ForeignNetwork

LARGEST_SIZE = 2**24  # the largest size of a network that is believed
Network = TypeVar("Network", bound=nn.Module)
Part = TypeVar("Part")


def part_of(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}


def load_network(
    folder: Path, kind: Callable[..., Network], config: dict[str, Any], weights: dict[str, Tensor]
) -> Network:
    """A network of these sizes with these weights, if they go together."""
    sizes = set(signature(kind).parameters)
    if set(config) != sizes or not all(type(size) is int and 0 < size <= LARGEST_SIZE for size in config.values()):
        raise damaged(folder, f"sizes {config}; expected {', '.join(sorted(sizes))} up to {LARGEST_SIZE:,}")
    try:
        with torch.device("meta"):  # takes no memory, however large the sizes that a damaged file claims
            network = kind(**config)
    except ValueError as error:  # sizes that don't go together
        raise damaged(folder, f"sizes {config}: {error}") from error
    if _shapes(network.state_dict()) != _shapes(weights):
        raise damaged(folder, f"its weights are not those of a {type(network).__name__} of {config}")
    network.load_state_dict(weights, assign=True)
    return network


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.Size, bool]]:
    return {name: (tensor.shape, tensor.is_floating_point()) for name, tensor in tensors.items()}


def fill(folder: Path, kind: Callable[..., Part], tensors: dict[str, Any]) -> Part:
    """A dataclass of tensors, if all of its fields are there and no others."""
    needed = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if set(tensors) != needed:
        raise damaged(folder, f"it has {', '.join(sorted(tensors))} instead of {', '.join(sorted(needed))}")
    return kind(**tensors)


def foreign_network(folder: Path, weights: dict[str, Tensor], channels: int) -> ForeignNetwork:
    network = load_network(folder, ForeignNetwork, {"channels": channels}, weights)
    # the layout that it was trained in, so that both compute the same to the last bit
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.requires_grad_(False).eval()


def calibration(folder: Path, tensors: dict[str, Tensor]) -> Calibration:
    needed = {"surprisal", "residual", "peak"}  # other scores may be newer than the model
    if not needed <= set(tensors):
        raise damaged(folder, f"its calibration lacks {', '.join(sorted(needed - set(tensors)))}")
    if any(tensor.ndim != 1 or not len(tensor) for tensor in tensors.values()):
        raise damaged(folder, "its calibration is not of lists of numbers")
    found = Calibration.from_tensors(tensors)
    if found.volumes is not None and DEFAULT_SCORE not in found.volumes.held_out:
        raise damaged(folder, f"its calibration of volumes lacks {DEFAULT_SCORE}")
    return found


def value_range(folder: Path, found: Any) -> tuple[float, float] | None:
    if found is None:
        return None
    if not (isinstance(found, list) and len(found) == 2 and all(isinstance(end, int | float) for end in found)):
        raise damaged(folder, f"value_range {found}")
    return float(found[0]), float(found[1])


def entropy(folder: Path, found: Any) -> Entropy | None:
    if found is None:
        return None
    known = {field.name for field in fields(Entropy)} - {"local"}
    if not isinstance(found, dict) or not known <= set(found):
        raise damaged(folder, "its entropy is not whole")
    values = {name: value for name, value in found.items() if name in known}
    return Entropy(**values | {"ci": tuple(values["ci"]), "warnings": tuple(values["warnings"])})
