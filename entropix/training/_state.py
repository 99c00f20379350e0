"""The state of a training: everything its next step depends on, and when it is written to a checkpoint."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from entropix.exceptions import CheckpointError
from entropix.training import _checkpoint as checkpoints
from entropix.training import _parallel as parallel
from entropix.training._checkpoint import Checkpoint


@dataclass
class TrainingState:
    """A training between two steps. Without a checkpoint, `resume`, `tick` and `finish` do nothing.

    Attributes:
        objective: its running means and the like are kept if it has `state_dict()`, of tensors, and `load_state_dict`.
        left: (batches, batch size) indices of the images that this epoch has still to see.
        total: sum of the losses of the batches that this epoch has seen.
        losses: mean loss of each epoch that is over.
        saved: time of the last checkpoint (`time.monotonic`).
    """

    model: nn.Module
    objective: Any
    optimizer: torch.optim.Optimizer
    cycle: torch.optim.lr_scheduler.LRScheduler | None
    generator: torch.Generator
    checkpoint: Checkpoint | None
    name: str
    left: Tensor = field(default_factory=lambda: torch.empty(0, 0, dtype=torch.int64))
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    losses: list[float] = field(default_factory=list)
    saved: float = 0.0

    def resume(self) -> None:
        """Resume from the state that the checkpoint holds of this training; if it holds none, write the first one.

        Raises:
            CheckpointError: the checkpoint holds the state of another training.
            OSError: the checkpoint can't be written.
        """
        known = parallel.first(None if self.checkpoint is None else self.checkpoint.load(self.name))
        if known is None:
            if self.checkpoint is not None:
                self._save(self._between_steps())
            return
        self.saved = time.monotonic()
        try:
            self._take(*known)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            where = "the checkpoint" if self.checkpoint is None else self.checkpoint.folder
            raise CheckpointError(
                f"{where}: {self.name} does not fit this training ({error}); remove it to start anew"
            ) from error

    def tick(self, *, now: bool = False) -> None:
        """Write a checkpoint if the last one is old, or if `now`. Call it between two steps, while batches are left."""
        if self.checkpoint is None or not (now or time.monotonic() - self.saved >= checkpoints.SECONDS):
            return
        # weights that are not finite will show in the loss, and the state before them stays
        if all(parameter.isfinite().all() for parameter in self.model.parameters()):
            self._save(self._between_steps())

    def finish(self) -> None:
        """Write the result of the training, without what only a next step would need."""
        if self.checkpoint is not None:
            self._save({})

    def _save(self, more: dict[str, Tensor]) -> None:
        assert self.checkpoint is not None
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        if hasattr(self.objective, "state_dict"):
            tensors |= {f"objective.{name}": tensor for name, tensor in self.objective.state_dict().items()}
        groups = [{name: group[name] for name in ("lr", "betas")} for group in self.optimizer.param_groups]
        cycle = None if self.cycle is None else self.cycle.state_dict()
        self.checkpoint.save(self.name, tensors | more, {"losses": self.losses, "groups": groups, "cycle": cycle})
        self.saved = time.monotonic()

    def _between_steps(self) -> dict[str, Tensor]:
        moments = {
            f"optimizer.{i}.{name}": tensor
            for i, parameter in enumerate(self.model.parameters())
            for name, tensor in self.optimizer.state.get(parameter, {}).items()
        }
        return moments | {"left": self.left, "total": self.total, "generator": self.generator.get_state()}

    def _take(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        device = next(self.model.parameters()).device
        self.model.load_state_dict(_part(tensors, "model."))
        if hasattr(self.objective, "load_state_dict"):
            known = {name: tensor.to(device) for name, tensor in _part(tensors, "objective.").items()}
            self.objective.load_state_dict(known)
        self.losses = [float(loss) for loss in facts["losses"]]
        if "left" not in tensors:
            return  # the training was finished
        self.left, self.total = tensors["left"].to(device), tensors["total"].to(device)
        self.generator.set_state(tensors["generator"])
        for i, parameter in enumerate(self.model.parameters()):
            moments = _part(tensors, f"optimizer.{i}.")
            if moments:
                self.optimizer.state[parameter] = {name: _like(parameter, one) for name, one in moments.items()}
        for group, known in zip(self.optimizer.param_groups, facts["groups"], strict=True):
            group["lr"], group["betas"] = float(known["lr"]), tuple(float(beta) for beta in known["betas"])
        if self.cycle is not None:
            self.cycle.load_state_dict(facts["cycle"])


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _like(parameter: Tensor, moment: Tensor) -> Tensor:
    """`moment` with the device and strides of its parameter, on which the fused optimizer relies."""
    if moment.ndim == 0:
        return moment.to(parameter.device)
    if moment.shape != parameter.shape:
        raise ValueError(f"a moment of shape {tuple(moment.shape)} for a parameter of {tuple(parameter.shape)}")
    return torch.empty_like(parameter, requires_grad=False).copy_(moment)
