"""The training loop, for the paper's autoencoder and for the nested one.

Images are a tensor, or a view of a set that may be larger than the memory; a batch is made by indexing. The recipe is
the paper's (Adam, learning rate 1e-3, batches of 64, squared error). `fit` gets further in the same number of epochs by
two things that the paper's baseline does not use: with `one_cycle` the learning rate rises to three times that and
falls to zero (Smith and Topin 2019), and errors count by their logarithms (`entropix.training.RelativeError`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from entropix.data import ImageView
from entropix.training import _parallel as parallel
from entropix.training._checkpoint import Checkpoint
from entropix.training._objectives import Objective
from entropix.training._state import TrainingState
from entropix.training._stepping import Gradients, deferred_interrupt

TRAINING_BATCH = 64
LEARNING_RATE = 1e-3
PEAK = 3  # the highest learning rate of the cycle, in units of LEARNING_RATE

OnEpoch = Callable[[int, float, nn.Module], None]
"""Called with the number of epochs done, the mean loss of the last one, and the model, which it must not change."""


def train(
    model: nn.Module,
    images: Tensor | ImageView,
    objective: Objective,
    *,
    epochs: int,
    seed: int,
    one_cycle: bool = False,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
    name: str = "training",
) -> list[float]:
    """Train `model` in place and leave it in evaluation mode.

    In a block of `entropix.training.parallel.divided`, every process calls this, and trains on its share of each batch.

    Args:
        model: the module whose parameters `objective` depends on, on the device of `images`.
        images: (n, c, h, w) on [-1, 1], n at least 64; or vectors (n, p). The last, incomplete batch of an epoch is
            left out: it may have too few images for batch normalisation.
        objective: the loss of a batch (`Objective`).
        epochs: passes over the images.
        seed: seed of the order of the images and of the randomness in the objective.
        one_cycle: let the learning rate rise to three times 1e-3 and fall to zero; else it stays at 1e-3.
        on_epoch: called after every epoch (`OnEpoch`).
        checkpoint: keeps the state at the start, every half minute and at the end. If it already holds the state of
            the training `name`, the training is resumed from there, and ends like one that was not interrupted. If
            `Checkpoint.over` is set, the model gets the state that is held, and is not trained any more.
        name: name of this training in the checkpoint.

    Returns:
        The mean loss of each epoch.

    Raises:
        FloatingPointError: the loss became NaN or infinite; the checkpoint keeps the last finite state.
        KeyboardInterrupt: Ctrl-C, after the step it came in; the checkpoint keeps the state.
        torch.OutOfMemoryError: the device does not hold even two images, or in several processes a share of a batch; of
            the processor a RuntimeError.
        CheckpointError: the checkpoint is damaged, or that of another training.
        OSError: the checkpoint can't be written.
    """
    generator = torch.Generator().manual_seed(seed)
    batch_size = min(TRAINING_BATCH, len(images))
    batches = len(images) // batch_size
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
    cycle = (
        torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK * LEARNING_RATE, total_steps=epochs * batches)
        if one_cycle
        else None
    )
    model.train()
    state = TrainingState(model, objective, optimizer, cycle, generator, checkpoint, name)
    state.resume()
    if checkpoint is not None and checkpoint.over:
        epochs = len(state.losses)
    with deferred_interrupt() as interrupted, parallel.training(model, objective, optimizer) as divided:
        gradients = Gradients(*divided)
        for epoch in range(len(state.losses) + 1, epochs + 1):
            if not len(state.left):
                order = torch.randperm(len(images), generator=generator).to(images.device)
                state.left = order[: batches * batch_size].view(batches, batch_size)
                state.total = torch.zeros((), device=images.device)
            while len(state.left):
                stop = interrupted()
                state.tick(now=stop)
                if stop:
                    raise KeyboardInterrupt
                state.total += gradients(images[parallel.share(state.left[0])], generator)
                gradients.optimizer.step()
                if cycle is not None:
                    cycle.step()
                state.left = state.left[1:]
            mean = state.total.item() / batches
            if not math.isfinite(mean):
                kept = "" if checkpoint is None else f"; the last finite state is in {checkpoint.folder}"
                raise FloatingPointError(
                    f"the training loss became {mean} in epoch {epoch} of {epochs}; check the images for extreme values"
                    f"{kept}"
                )
            state.losses.append(mean)
            if on_epoch is not None:
                on_epoch(epoch, mean, model)
        state.finish()
    model.eval()
    return state.losses
