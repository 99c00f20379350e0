"""Select: one nested autoencoder stands for all d; the chosen prefix of its code is kept."""

from __future__ import annotations

from torch import Tensor

from entropix.checkpoint import Checkpoint
from entropix.models import Autoencoder, NestedAutoencoder
from entropix.selection import Curve, choose
from entropix.strategies.adapted import CANDIDATES, Adapted, OnEpoch
from entropix.training import NestedError, train


def select(
    images: Tensor,
    distinct: Tensor,
    held_out: Tensor,
    *,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
) -> Adapted[Autoencoder]:
    """Train on `images`, measure every candidate, cut at the chosen d.

    images, distinct, held_out: (n, c, s, s) on [-1, 1], to train on, without their twins, and for the choice.
    """
    nested = NestedAutoencoder(CANDIDATES, images.shape[1], images.shape[-1]).to(images.device)
    losses = train(
        nested,
        images,
        NestedError(nested),
        epochs=epochs,
        seed=seed,
        one_cycle=True,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    curve = Curve(distinct, held_out, seed)
    points = curve.measure(nested)
    choice = choose(points, curve.entropy)
    return Adapted(nested.truncate(choice.latent_dim), curve.entropy, points, choice.reason, losses)
