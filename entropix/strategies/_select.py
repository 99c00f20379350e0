"""Select: one nested autoencoder stands for all d; the chosen prefix of its code is kept."""

from __future__ import annotations

from collections.abc import Callable

from entropix.models import ImageAutoencoder
from entropix.selection import Curve
from entropix.strategies._adapted import CANDIDATES, Adapted, adapt
from entropix.training import Checkpoint, NestedError, OnEpoch, TrainingData, train


def select_prefix(
    data: TrainingData,
    build: Callable[[int], ImageAutoencoder],
    *,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
) -> Adapted[ImageAutoencoder]:
    """Train a nested autoencoder, measure every candidate, and cut the code at the chosen d.

    Arguments as for `entropix.strategies.Strategy`.
    """
    nested = build(CANDIDATES[-1])
    losses = train(
        nested,
        data.train,
        NestedError(nested, CANDIDATES),
        epochs=epochs,
        seed=seed,
        one_cycle=True,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    return adapt(
        nested, CANDIDATES, nested.truncate, Curve(data.distinct, data.held_out, seed, data.distinct_groups), losses
    )
