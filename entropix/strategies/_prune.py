"""Prune: a code is trained wide, turned to its principal axes, cut where the curve says, and trained further."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from entropix._utils import check_seed, is_whole, resolve_device
from entropix.data import ImageView
from entropix.models import ImageAutoencoder
from entropix.selection import Curve
from entropix.strategies._adapted import CANDIDATES, Adapted, adapt
from entropix.strategies._principal_axes import PrincipalAxes, to_principal_axes
from entropix.training import (
    FEWEST_HELD_OUT,
    TRAINING_BATCH,
    Checkpoint,
    OnEpoch,
    RelativeError,
    TrainingData,
    corrupted,
    split,
    train,
)

FEWEST = TRAINING_BATCH + FEWEST_HELD_OUT  # images for `prune`
FINE_TUNING = 0.2  # share of the epochs that come after the cut


class EncoderDecoder(Protocol):
    """A module that `prune` takes: from images (n, c, h, w) to codes (n, latent_dim), and back."""

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


def prune_wide(
    data: TrainingData,
    build: Callable[[int], ImageAutoencoder],
    *,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
) -> Adapted[ImageAutoencoder]:
    """Train an autoencoder with the longest code, cut it, and train further: "prune" of `entropix.fit`.

    Arguments as for `entropix.strategies.Strategy`.
    """
    after = round(FINE_TUNING * epochs)
    options: dict[str, Any] = {"one_cycle": True, "checkpoint": checkpoint}
    wide = build(CANDIDATES[-1])
    losses = train(
        wide,
        data.train,
        RelativeError(wide, corrupted),
        epochs=epochs - after,
        seed=seed,
        on_epoch=on_epoch,
        name="wide",
        **options,
    )
    cut = _cut(wide, data.distinct, data.held_out, seed, data.distinct_groups)
    axes = cut.model
    narrow = wide.with_axes(axes.into, axes.out, axes.centre)
    if after:

        def later(epoch: int, loss: float, model: nn.Module) -> None:
            if on_epoch is not None:
                on_epoch(epochs - after + epoch, loss, model)

        losses += train(
            narrow,
            data.train,
            RelativeError(narrow, corrupted),
            epochs=after,
            seed=seed + 1,
            on_epoch=later,
            name="narrow",
            **options,
        )
    return Adapted(narrow, cut.entropy, cut.curve, cut.reason, losses)


def prune(
    model: EncoderDecoder, images: Tensor, *, epochs: int = 0, seed: int = 0, device: str = "auto"
) -> Adapted[PrincipalAxes]:
    """Cut the code of a trained autoencoder of your own to what normal images need.

    Args:
        model: a `torch.nn.Module` with `encode`: images (n, c, h, w) to codes (n, wide), and `decode` back. It is
            not changed: the result holds a copy.
        images: normal images (n, c, h, w) as the model takes them (its scale and size), at least 80; a fifth, at
            most 2,000, is held out for the choice.
        epochs: passes over the training images after the cut, to lower ln(squared error); 0: none.
        seed: seed of the split and of the training.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Returns:
        The autoencoder `model`, whose `encode` gives codes (n, latent_dim), with the chosen d, the reason for it, and
        the curve.

    Raises:
        TypeError: `model` is no module, or one without `encode` and `decode`.
        ValueError: images of another shape, too few of them, or codes that are not (n, wide).
    """
    if not isinstance(model, nn.Module) or not (hasattr(model, "encode") and hasattr(model, "decode")):
        raise TypeError(f"model is {type(model).__name__}; expected a torch.nn.Module with encode(x) and decode(z)")
    images = torch.as_tensor(images)
    if images.ndim != 4 or len(images) < FEWEST or not images.is_floating_point():
        raise ValueError(
            f"images of shape {tuple(images.shape)} and {images.dtype}; expected at least {FEWEST} floating-point "
            "images (n, c, h, w), as the model takes them"
        )
    check_seed(seed)
    if not is_whole(epochs, 0):
        raise ValueError(f"epochs={epochs!r}; expected a whole number of at least 0")
    target = resolve_device(device)
    wide = copy.deepcopy(model).to(target).eval()
    training, held_out, distinct = split(images, [str(i) for i in range(len(images))], seed)
    images = images.to(target)
    known, unseen = (  # shuffled: `Curve` takes the first of them as a sample of all
        np.random.default_rng(seed).permutation(chosen) for chosen in (np.intersect1d(training, distinct), held_out)
    )
    adapted = _cut(wide, images[known], images[unseen], seed)
    if not epochs:
        return adapted
    losses = train(adapted.model, images[training], RelativeError(adapted.model), epochs=epochs, seed=seed)
    return replace(adapted, history=losses)


def _cut(
    wide: Any, distinct: Tensor | ImageView, held_out: Tensor, seed: int, groups: Sequence[str] | None = None
) -> Adapted[PrincipalAxes]:
    axes = to_principal_axes(wide, distinct)
    wide_dim = axes.latent_dim
    dims = sorted({d for d in CANDIDATES if d < wide_dim} | {wide_dim})
    return adapt(axes, dims, axes.cut, Curve(distinct, held_out, seed, groups), [])
