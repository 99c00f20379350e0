"""The paper's autoencoders of several d, trained at once: for sweeps in which launching kernels takes the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from entropix._utils import Progress
from entropix.detector import Fitted, deterministic, finish, untrained
from entropix.models import Autoencoder, BatchedAutoencoders
from entropix.scoring import ForeignNetwork
from entropix.training import Checkpoint, TrainingData, train


class SquaredErrors:
    """The paper's objective of several autoencoders: its sum, as none depends on another's weights.

    Attributes:
        history: (epochs, models) mean losses of the epochs that are over.
    """

    def __init__(self, models: BatchedAutoencoders) -> None:
        self.models = models
        device = next(models.parameters()).device
        self.history = torch.empty(0, len(models.latent_dims), device=device)
        self.sums, self.seen = torch.zeros(len(models.latent_dims), device=device), torch.zeros((), device=device)

    def __call__(self, batch: Tensor, _: torch.Generator) -> Tensor:
        errors = (self.models(batch) - batch).square().flatten(1).mean(1)
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


def fit_batched(
    data: TrainingData,
    dims: Sequence[int],
    epochs: int,
    seed: int,
    bar: Progress,
    network: ForeignNetwork,
    checkpoint: Checkpoint | None,
    name: str,
) -> Iterator[Fitted]:
    """Train the paper's autoencoder of every d of `dims` in one training, and yield what is learnt with each.

    Up to rounding, that is what `fit_fixed` with the paper's recipe returns.

    Args:
        data: images.
        dims: the candidates d.
        epochs: passes over the training images.
        seed: seed of the weights and of the order of the images.
        bar: shows the epochs.
        network: the foreign-content network.
        checkpoint: keeps the state of this training.
        name: name of this training in the checkpoint.
    """
    models = BatchedAutoencoders([untrained(Autoencoder, data, d, seed) for d in dims]).to(data.train.device)
    objective = SquaredErrors(models)

    def on_epoch(epoch: int, loss: float, _: torch.nn.Module) -> None:
        objective.end_epoch()
        bar.epoch(epoch, loss / len(dims))

    with bar, deterministic():
        train(
            models,
            data.train,
            objective,
            epochs=epochs,
            seed=seed,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            name=name,
        )
    for model, losses in zip(models.models(), objective.history.T.tolist(), strict=True):
        yield finish(model, data, losses, network)
