"""Objectives of a training: the paper's squared error, or the logarithm of errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from entropix.models import BaseAutoencoder
from entropix.training import _parallel as parallel
from entropix.training._corruption import Corruption, corrupted, unchanged

Objective = Callable[[Tensor, torch.Generator], Tensor]
"""Scalar loss of a batch (n, c, h, w); the generator (on the CPU) is the source of any randomness in it."""


def squared_error(model: nn.Module) -> Objective:
    """Return the paper's objective (equation 1): the mean squared error of the reconstruction."""
    return lambda batch, _: nn.functional.mse_loss(model(batch), batch)


class RunningMeans:
    """Running means of the errors of several kinds, by which each error is measured.

    An error divided by its running mean has the gradient of ln(error). Adam's step sizes remember a thousand
    batches: once an error has fallen a hundredfold, the gradient of the error itself is too small for them, and
    that of its logarithm is not.

    Args:
        kinds: number of kinds of errors.
        device: where the errors are.
    """

    MEMORY = 0.9  # per batch

    def __init__(self, kinds: int, device: torch.device) -> None:
        self.values = torch.zeros(kinds, device=device)  # 0: no error of this kind was seen yet

    def relative(self, errors: Tensor, kind: Tensor) -> Tensor:
        """Return a scalar with the gradient of the mean of ln(errors), whose value is that mean over the kinds.

        Args:
            errors: (n,).
            kind: (n,) integers, the kind of each error, counted from 0.
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
    """The objective ln(mean squared error): the code length of a Gaussian residual of unknown variance.

    Args:
        model: the autoencoder.
        given: what the model is given of a batch that it is to reconstruct, such as `corrupted`.
    """

    def __init__(self, model: nn.Module, given: Corruption = unchanged) -> None:
        self.model, self.given = model, given
        self.means = RunningMeans(1, next(model.parameters()).device)
        self.state_dict, self.load_state_dict = self.means.state_dict, self.means.load_state_dict

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        error = nn.functional.mse_loss(self.model(self.given(batch, generator)), batch).reshape(1)
        return self.means.relative(error, torch.zeros(1, dtype=torch.int64, device=error.device))


class NestedError:
    """The objective of a nested autoencoder: weighted sum over prefixes d of ln(mean squared error of prefix d).

    Every prefix z_1..z_d of the code is trained to be a code of its own (nested dropout, Rippel, Gelbart and Adams
    2014): one training stands for the paper's sweep over d, and `truncate` gives back the paper's network of latent
    dimension d.

    A Gaussian residual of unknown variance costs (p / 2) ln(error) nats, so every prefix counts by its relative
    error. The plain sum would be dominated by the shortest prefixes, whose errors are several times larger, and would
    leave the long ones behind. Half of a batch goes through the whole code, which keeps it from lagging behind an
    autoencoder of its own, the other half through prefixes drawn uniformly. Each squared error is divided by the
    running mean of its prefix. The value is the mean of ln(error) over prefixes. The autoencoder is given corrupted
    images and reconstructs the clean ones (`corrupted`).

    Args:
        model: the nested autoencoder; its whole code is the longest prefix.
        dims: the prefix lengths that training visits, ascending; the last is the size of the whole code.
    """

    def __init__(self, model: BaseAutoencoder, dims: Sequence[int]) -> None:
        self.model = model
        self.dims = torch.tensor(dims, device=model.device)
        self.means = RunningMeans(len(dims), model.device)
        self.state_dict, self.load_state_dict = self.means.state_dict, self.means.load_state_dict

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        last = len(self.dims) - 1
        n = len(batch) * parallel.processes()
        drawn = torch.randint(last + 1, (n,), generator=generator)
        drawn[: n // 2] = last
        drawn = parallel.share(drawn).to(batch.device)
        z = self.model.encode(corrupted(batch, generator))
        reconstruction = self.model.decode_prefix(z, self.dims[drawn])
        return self.means.relative((reconstruction - batch).square().flatten(1).mean(1), drawn)
