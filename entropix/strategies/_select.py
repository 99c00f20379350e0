"""Select: one nested autoencoder stands for all d; the chosen prefix of its code is kept."""

from __future__ import annotations

from entropix.models import Autoencoder, NestedAutoencoder
from entropix.selection import Curve
from entropix.strategies._adapted import CANDIDATES, Adapted, adapt
from entropix.training import Checkpoint, NestedError, OnEpoch, TrainingData, train


def select(
    data: TrainingData,
    *,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
) -> Adapted[Autoencoder]:
    """Train, measure every candidate, cut at the chosen d."""
    nested = NestedAutoencoder(CANDIDATES, data.channels, data.image_size).to(data.train.device)
    losses = train(
        nested,
        data.train,
        NestedError(nested),
        epochs=epochs,
        seed=seed,
        one_cycle=True,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    return adapt(nested, nested.truncate, Curve(data.distinct, data.held_out, seed), losses)
