"""The training loop, for the paper's autoencoder and for the nested one.

Images are a tensor, or a view of a set that may be larger than the memory; a batch is an index. The recipe is the
paper's (Adam, learning rate 1e-3, batches of 64, squared error). `fit` goes further in the same number of epochs by two
things that the paper's baseline does not use: with `one_cycle` the learning rate rises to three times that and falls to
zero (Smith and Topin 2019), and errors count by their logarithms (`RelativeError`, `NestedError`).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from entropix import parallel
from entropix.checkpoint import Checkpoint
from entropix.data import ImageView
from entropix.models import NestedAutoencoder
from entropix.stepping import Gradients, deferred_interrupt
from entropix.training_state import TrainingState

BATCH_SIZE = 64
LEARNING_RATE = 1e-3
PEAK = 3  # of the cycle, in learning rates

Objective = Callable[[Tensor, torch.Generator], Tensor]
"""Scalar loss of a batch (n, c, h, w); the generator (on the CPU) is the source of any randomness in it."""

OnEpoch = Callable[[int, float, nn.Module], None]
"""Called with the number of epochs done, the mean loss of the last and the model, which it leaves as it was."""


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

    Args:
        model: the module whose parameters `objective` depends on, on the device of `images`.
        images: (n, c, h, w) on [-1, 1], n at least 64; or vectors (n, p). The last, incomplete batch of an epoch is
            left out: batch normalisation would see it with too few images.
        objective: see `Objective`.
        on_epoch: see `OnEpoch`.
        checkpoint: where the state goes at the start, every half minute and at the end; and comes from, if it holds
            that of this `name`. A training that was resumed ends like one that was not interrupted. If it is over
            (`Checkpoint.over`), the model is what it holds and no more.

    In a block of `entropix.parallel.divided`, every process calls this, and trains on its share of each batch.

    Returns:
        The mean loss of each epoch.

    Raises:
        FloatingPointError: the loss became NaN or infinite; the checkpoint keeps the last finite state.
        KeyboardInterrupt: Ctrl-C, after the step it came in; the checkpoint keeps the state.
        torch.OutOfMemoryError: the device does not hold two images (`entropix.stepping.Gradients`).
        CheckpointError: the checkpoint is damaged, or another training's.
        OSError: the checkpoint can't be written.
    """
    generator = torch.Generator().manual_seed(seed)
    batch_size = min(BATCH_SIZE, len(images))
    batches = len(images) // batch_size
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
    cycle = (
        torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK * LEARNING_RATE, total_steps=epochs * batches)
        if one_cycle
        else None
    )
    model.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
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
                batch = images[parallel.share(state.left[0])]
                if batch.ndim == 4:
                    batch = batch.contiguous(memory_format=torch.channels_last)
                state.total += gradients(batch, generator)
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
    # as a loaded model is, so that both compute the same to the last bit
    model.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    return state.losses


def squared_error(model: nn.Module) -> Objective:
    """The paper's objective (equation 1): the mean squared error of the reconstruction."""
    return lambda batch, _: nn.functional.mse_loss(model(batch), batch)


class RunningMeans:
    """Running means of errors of several kinds, to measure each error by.

    An error divided by its running mean has the gradient of ln(error). Adam's step sizes remember a thousand
    batches: once an error has fallen a hundredfold, the gradient of the error itself is too small for them, and
    that of its logarithm is not.
    """

    MEMORY = 0.9  # per batch

    def __init__(self, kinds: int, device: torch.device) -> None:
        self.values = torch.zeros(kinds, device=device)  # 0: this kind was not met yet

    def relative(self, errors: Tensor, kind: Tensor) -> Tensor:
        """Scalar with the gradient of the mean of ln(errors), whose value is that mean over the kinds.

        errors (n,), kind (n,): of each error, from 0 on.
        """
        self._update(errors.detach(), kind)
        return (errors / self.values[kind]).mean() - 1 + self.values[self.values > 0].log().mean()

    def state_dict(self) -> dict[str, Tensor]:
        return {"values": self.values}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.values = state["values"]

    def _update(self, errors: Tensor, kind: Tensor) -> None:
        # not index_add, whose order of summation, and so the result, varies on a GPU
        members = nn.functional.one_hot(kind, len(self.values)).to(errors.dtype)  # (n, kinds)
        total, count = parallel.total(errors @ members), parallel.total(members.sum(0))
        current = total / count.clamp(min=1)
        blended = torch.where(self.values > 0, self.MEMORY * self.values + (1 - self.MEMORY) * current, current)
        # an error of exactly zero would divide by zero
        tiny = torch.finfo(errors.dtype).tiny
        self.values = torch.where(count > 0, blended.clamp(min=tiny), self.values)


class RelativeError:
    """Objective: ln(mean squared error), the code length of a Gaussian residual of unknown variance."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.means = RunningMeans(1, next(model.parameters()).device)
        self.state_dict, self.load_state_dict = self.means.state_dict, self.means.load_state_dict

    def __call__(self, batch: Tensor, _: torch.Generator) -> Tensor:
        error = nn.functional.mse_loss(self.model(batch), batch).reshape(1)
        return self.means.relative(error, torch.zeros(1, dtype=torch.int64, device=error.device))


class NestedError:
    """Objective of the nested autoencoder: weighted sum over prefixes d of ln(mean squared error of prefix d).

    A Gaussian residual of unknown variance costs (p / 2) ln(error) nats, so every prefix counts by its relative
    error. The plain sum would be ruled by the shortest prefixes, whose errors are several times larger, and leave
    the long ones behind. Half of a batch goes through the whole code, which keeps it from lagging behind an
    autoencoder of its own, the other half through prefixes drawn uniformly; each squared error is divided by the
    running mean of its prefix. The value is the mean of ln(error) over prefixes.
    """

    def __init__(self, model: NestedAutoencoder) -> None:
        device = model.to_code.weight.device
        self.model = model
        self.dims = torch.tensor(model.dims, device=device)
        self.means = RunningMeans(len(model.dims), device)
        self.state_dict, self.load_state_dict = self.means.state_dict, self.means.load_state_dict

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        last = len(self.dims) - 1
        n = len(batch) * parallel.processes()
        drawn = torch.randint(last + 1, (n,), generator=generator)
        drawn[: n // 2] = last
        drawn = parallel.share(drawn).to(batch.device)
        reconstruction = self.model.decode_prefix(self.model.encode(batch), self.dims[drawn])
        return self.means.relative((reconstruction - batch).square().flatten(1).mean(1), drawn)
