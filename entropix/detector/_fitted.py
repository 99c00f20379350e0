"""The result of a fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from entropix.data import Standard
from entropix.estimators import Entropy
from entropix.models import BaseAutoencoder
from entropix.scoring import ActivationModel, Calibration, FeatureModel, ForeignNetwork, LatentModel, ResidualModel
from entropix.training import Fingerprints


@dataclass
class Fitted:
    """Everything that is learnt from normal images or vectors.

    A detector has these attributes too, each with a trailing underscore.

    Attributes:
        model: the autoencoder.
        network: the foreign-content network; None for vectors.
        residual_model: model of its residuals.
        latent_model: model of what its encoder sees: of the activations of images, of the codes of vectors.
        calibration: scores of held-out normal inputs.
        fingerprints: what tells copies of the images of the fit; None for vectors.
        value_range: lowest and highest value of raw training images (`ImageSet.value_range`).
        standard: scaling of vectors; None for images.
        entropy: H(X_n); None if d was given, and for vectors.
        reason: why this d, in words.
        curve: measurements at every candidate d.
        history: mean training loss of each epoch.
        settings: how to repeat the fit.
    """

    model: BaseAutoencoder
    network: ForeignNetwork | None
    residual_model: ResidualModel | FeatureModel
    latent_model: ActivationModel | LatentModel
    calibration: Calibration
    fingerprints: Fingerprints | None = None
    value_range: tuple[float, float] | None = None
    standard: Standard | None = None
    entropy: Entropy | None = None
    reason: str = ""
    curve: list[dict[str, float]] = field(default_factory=list)
    history: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
