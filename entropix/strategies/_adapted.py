"""What every strategy returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import nn

from entropix.estimators import Entropy
from entropix.selection import Curve, CurvePoint, Prefixes, choose

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
        d: int = getattr(self.model, "latent_dim")  # noqa: B009 (nn.Module types its attributes as tensors)
        return d


def adapt(model: Prefixes, cut: Callable[[int], Model], curve: Curve, history: list[float]) -> Adapted[Model]:
    """Measure every prefix of the code of a trained `model`, choose d, and keep `cut(d)`."""
    points = curve.measure(model)
    choice = choose(points, curve.entropy)
    return Adapted(cut(choice.latent_dim), curve.entropy, points, choice.reason, history)
