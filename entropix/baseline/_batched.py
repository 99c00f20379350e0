"""The paper's autoencoders of several d, trained at once: what a sweep does where launching kernels takes the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from entropix._utils import Progress
from entropix.detector import Fitted, deterministic, finish, untrained
from entropix.models import Autoencoder, Stack
from entropix.training import Checkpoint, TrainingData, train


class SquaredErrors:
    """Objective: the paper's, for each of a stack of autoencoders; their sum, as none depends on another's weights.

    history: (epochs, models) mean losses of the epochs that are over.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        device = next(stack.parameters()).device
        self.history = torch.empty(0, len(stack.latent_dims), device=device)
        self.sums, self.seen = torch.zeros(len(stack.latent_dims), device=device), torch.zeros((), device=device)

    def __call__(self, batch: Tensor, _: torch.Generator) -> Tensor:
        errors = (self.stack(batch) - batch).square().flatten(1).mean(1)
        self.sums += len(batch) * errors.detach()
        self.seen += len(batch)
        return errors.sum()

    def end_epoch(self) -> None:
        self.history = torch.cat([self.history, (self.sums / self.seen)[None]])
        self.sums, self.seen = torch.zeros_like(self.sums), torch.zeros_like(self.seen)

    def state_dict(self) -> dict[str, Tensor]:
        return {"history": self.history, "sums": self.sums, "seen": self.seen}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.history, self.sums, self.seen = state["history"], state["sums"], state["seen"]


def fit_stacked(
    data: TrainingData,
    dims: Sequence[int],
    epochs: int,
    seed: int,
    bar: Progress,
    checkpoint: Checkpoint | None,
    name: str,
) -> Iterator[Fitted]:
    """What `fit_fixed` with the paper's recipe gives for each d of `dims`, up to rounding, from one training.

    checkpoint: where this training keeps its state, under `name`.
    """
    stack = Stack([untrained(Autoencoder, data, d, seed) for d in dims]).to(data.train.device)
    objective = SquaredErrors(stack)

    def on_epoch(epoch: int, loss: float, _: torch.nn.Module) -> None:
        objective.end_epoch()
        bar.epoch(epoch, loss / len(dims))

    with bar, deterministic():
        train(
            stack,
            data.train,
            objective,
            epochs=epochs,
            seed=seed,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            name=name,
        )
    for model, losses in zip(stack.models(), objective.history.T.tolist(), strict=True):
        yield finish(model, data, losses, seed)
