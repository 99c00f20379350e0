"""Constrain: the length of the code is a variable of the training, driven to where its entropy is matched.

minimise d subject to H(X^_d) >= H(X^_wide) - 1 nat: the shortest code within one nat of what the widest can carry
of normal images (Proposition 2 of Cai et al., MICCAI 2024, first condition; one nat as in `choose`). d is a real
number: each image passes a code of floor(d) or ceil(d) latents, at random and d on average, so the entropy at d
lies on the line between those of its two whole neighbours. Every ten batches the entropies of the
reconstructions are measured and a secant step moves d towards the constraint. No weight between loss and entropy
has to be set: the autoencoder is trained by its errors only, half of every batch through the whole code, half
through the present one; the last fifth of the epochs goes to the length that was reached.

A soft mask, differentiated through the nearest neighbours, did not constrain: the encoder scales latents up
against it (4 true factors came through "2.4" latents).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from entropix._utils import in_batches
from entropix.models import BaseAutoencoder, ImageAutoencoder
from entropix.selection import Curve
from entropix.strategies._adapted import CANDIDATES, Adapted
from entropix.training import (
    TRAINING_BATCH,
    Checkpoint,
    OnEpoch,
    RunningMeans,
    TrainingData,
    corrupted,
    parallel,
    train,
)

TOLERANCE = 1.0  # nats
MEASURED = 256  # images for a step of the controller
EVERY = 10  # batches between two steps
LARGEST_STEP = 0.1  # share of d, small because the autoencoder has to follow
SETTLED = 0.8  # share of the training after which the length stays


class Length:
    """The controlled length d of the code, and the objective of the training that goes with it."""

    def __init__(self, model: BaseAutoencoder, curve: Curve, batches: int) -> None:
        self.model, self.curve, self.settles = model, curve, TRAINING_BATCH * round(SETTLED * batches)
        self.d = math.sqrt(model.latent_dim)  # half way, on a logarithmic scale
        self.done = 0  # images seen; a step of the training may take several calls if memory is short
        self.errors = RunningMeans(2, model.device)  # errors of the present code and of the whole one

    @property
    def whole(self) -> int:
        """The shortest code that meets the constraint."""
        return math.ceil(self.d - 1e-6)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        n = len(batch) * parallel.processes()
        self.done += n
        settled = self.done > self.settles
        if not settled and self.done % (EVERY * TRAINING_BATCH) == 0:
            self.step(generator)
        length = (self.d + torch.rand(n, generator=generator)).floor()
        wide = (torch.arange(n) < n // 2) & (not settled)
        length[wide] = self.model.latent_dim
        if settled:
            length[:] = self.whole
            self.errors.values[1] = 0  # no image passes the whole code any more, and the loss is without it
        length, wide = parallel.share(length).to(batch.device), parallel.share(wide).to(batch.device)
        z = self.model.encode(corrupted(batch, generator))
        error = (self.model.decode_prefix(z, length) - batch).square().flatten(1).mean(1)
        # relative errors: that of the short code must not dominate that of the long one
        return self.errors.relative(error, wide.long())

    def state_dict(self) -> dict[str, Tensor]:
        counts = {"d": torch.tensor(self.d, dtype=torch.float64), "images": torch.tensor(self.done)}
        return counts | {f"errors.{name}": value for name, value in self.errors.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.d, self.done = float(state["d"]), int(state["images"])
        self.errors.load_state_dict({"values": state["errors.values"]})

    @torch.no_grad()
    def step(self, generator: torch.Generator) -> None:
        """Move d towards the constraint by one secant step."""
        chosen = torch.randperm(len(self.curve.train), generator=generator)[:MEASURED]
        self.model.eval()
        z = in_batches(self.model.encode, self.curve.train[chosen.to(self.curve.train.device)])
        below = min(math.floor(self.d), self.model.latent_dim - 1)
        low, high, limit = (
            self.curve.images.of_reconstructions(self.model.decode_prefix(z, d)).mean().item()
            for d in (below, below + 1, self.model.latent_dim)
        )
        self.model.train()
        missing = limit - TOLERANCE - (low + (self.d - below) * (high - low))
        wanted = missing / (high - low) if high > low else math.copysign(math.inf, missing)
        self.d += max(-LARGEST_STEP * self.d, min(LARGEST_STEP * self.d, wanted))
        self.d = parallel.first(max(1.0, min(float(self.model.latent_dim), self.d)))


def constrain_length(
    data: TrainingData,
    build: Callable[[int], ImageAutoencoder],
    *,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
) -> Adapted[ImageAutoencoder]:
    """Train a nested autoencoder and move the length of its code to where the entropy is matched, in one training.

    Arguments as for `entropix.strategies.Strategy`.
    """
    model = build(CANDIDATES[-1])
    curve = Curve(data.distinct, data.held_out, seed, data.distinct_groups)
    length = Length(model, curve, epochs * (len(data.train) // TRAINING_BATCH))
    losses = train(
        model,
        data.train,
        length,
        epochs=epochs,
        seed=seed,
        one_cycle=True,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    d = length.whole
    reason = (
        f"the training drove the length of the code to {length.d:.1f}, where the entropy of the reconstructions is one "
        f"nat below that of the widest code (H(X_n) = {float(curve.entropy):.1f})"
    )
    return Adapted(model.truncate(d), curve.entropy, curve.measure(model, (d,)), reason, losses)
