"""The interface of strategies: their signature, their result, and the last steps that two of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from torch import nn

from entropix.estimators import Entropy
from entropix.models import ImageAutoencoder
from entropix.selection import Curve, CurvePoint, Prefixes, choose
from entropix.training import Checkpoint, OnEpoch, TrainingData

CANDIDATES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # the paper's, and one between any two

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Adapted(Generic[Model]):
    """An autoencoder whose code has the chosen size.

    Attributes:
        model: the autoencoder; its `latent_dim` is the chosen d.
        entropy: H(X_n), nats, in the signal subspace of the images (`entropix.selection`).
        curve: what was measured at every candidate d.
        reason: why this d, in words.
        history: mean training loss of each epoch.
    """

    model: Model
    entropy: Entropy
    curve: list[CurvePoint]
    reason: str
    history: list[float]

    @property
    def latent_dim(self) -> int:
        """The chosen d, the size of the model's code."""
        d: int = getattr(self.model, "latent_dim")  # noqa: B009 (nn.Module types its attributes as tensors)
        return d


class Strategy(Protocol):
    """A way from images to an autoencoder whose code matches them. `fit` knows those named in `STRATEGIES`."""

    def __call__(
        self,
        data: TrainingData,
        build: Callable[[int], ImageAutoencoder],
        *,
        epochs: int,
        seed: int,
        on_epoch: OnEpoch | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Adapted[ImageAutoencoder]:
        """Train and choose d.

        Args:
            data: normal images.
            build: makes an untrained autoencoder for the images, on their device, of a latent dimension d.
            epochs: passes over the training images.
            seed: seed of the training and of the measurements.
            on_epoch: called after every epoch.
            checkpoint: keeps the state of the training.
        """
        ...


def adapt(
    model: Prefixes, dims: Sequence[int], cut: Callable[[int], Model], curve: Curve, history: list[float]
) -> Adapted[Model]:
    """Measure the first d latents of a trained `model` for every d of `dims`, choose d, and keep `cut(d)`."""
    points = curve.measure(model, dims)
    choice = choose(points, curve.entropy)
    return Adapted(cut(choice.latent_dim), curve.entropy, points, choice.reason, history)
