"""`EntropixDetector`: fits, scores, says where, decides; an outlier detector of scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from entropix._utils import Epoch, resolve_device
from entropix.data import are_vectors, check_vectors, read
from entropix.detector import _storage as storage
from entropix.detector._learn import Fitted, check_arguments, fit_images
from entropix.detector._learn_vectors import fit_vectors
from entropix.detector._scorer import Scorer
from entropix.exceptions import FitWarning
from entropix.scoring import Region, check_alpha, find_regions
from entropix.training import MOST_HELD_OUT, Checkpoint


class EntropixDetector(Scorer, OutlierMixin, BaseEstimator):
    """An autoencoder of normal images with models of what they leave over; `entropix.fit` makes and fits one.

    Images are given as anything `entropix.data.read` takes, flat feature vectors as (n, p) with n at least 20.
    `anomaly_score` is high for anomalous images; scikit-learn's `score_samples` is its negative.

    Args:
        latent_dim: d, or "auto".
        strategy: how "auto" finds d for images: "select", "prune" or "constrain" (`entropix.strategies`).
        image_size: images are resized to this many pixels squared, a multiple of 16.
        epochs: passes over the training images; None: by their number.
        seed: the same seed, data, device and versions give the same detector.
        alpha: share of normal images that `predict` may call anomalous.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Attributes:
        latent_dim_: d, the size of the code.
        reason_: why this d, in words.
        entropy_: H(X_n) in nats: value, stderr, ci, dimension (intrinsic), n_distinct, ... None when d was given.
        curve_: what was measured at every candidate d, a list of dictionaries (`entropix.selection.CurvePoint`).
        history_: mean training loss of each epoch.
        calibration_: what held-out normal images score (`entropix.scoring.Calibration`).
        offset_: `predict` calls images with `score_samples` below it anomalous.
        model_: the autoencoder, a plain `torch.nn.Module` on images on [-1, 1] (vectors: on `standard_` features).
        settings_: data, seed, epochs, versions: how to repeat the fit.
    """

    def __init__(
        self,
        latent_dim: int | str = "auto",
        *,
        strategy: str = "select",
        image_size: int = 64,
        epochs: int | None = None,
        seed: int = 0,
        alpha: float = 0.05,
        device: str = "auto",
    ) -> None:
        self.latent_dim = latent_dim
        self.strategy = strategy
        self.image_size = image_size
        self.epochs = epochs
        self.seed = seed
        self.alpha = alpha
        self.device = device

    @classmethod
    def from_fitted(cls, fitted: Fitted, **parameters: Any) -> EntropixDetector:
        """A fitted detector; parameters: those of the constructor."""
        return cls(**parameters)._take(fitted)

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        progress: bool = False,
        skip_unreadable: bool = False,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> EntropixDetector:
        """Learn from normal images or vectors X; y is ignored. See `entropix.fit` for the rest.

        checkpoint: where the training keeps its state (`entropix.fit` with `out` makes one).

        Raises:
            DataError: unreadable, constant or too few images; the message says what to do.
            ValueError: a parameter out of its range, unsuitable vectors.
        """
        check_arguments(self.latent_dim, self.image_size, self.epochs, self.strategy)
        check_alpha(self.alpha)
        options: dict[str, Any] = {
            "latent_dim": self.latent_dim,
            "epochs": self.epochs,
            "seed": int(self.seed),
            "device": resolve_device(self.device),
            "progress": progress,
            "on_epoch": on_epoch,
            "checkpoint": checkpoint,
        }
        if are_vectors(X):
            fitted = fit_vectors(check_vectors(self, X, reset=True), **options)
        else:
            data = read(X, image_size=self.image_size, skip_unreadable=skip_unreadable, progress=progress)
            fitted = fit_images(data, **options, strategy=self.strategy, skip_unreadable=skip_unreadable)
        self._take(fitted)
        least = self.calibration_.least
        if self.alpha < least:
            more = "fit on more images, or " if math.ceil(1 / self.alpha) <= MOST_HELD_OUT else ""
            warnings.warn(
                f"{len(self.calibration_)} held-out normal images tell false-positive rates from {least:.3g} on, not "
                f"alpha={self.alpha}: predict() uses {least:.3g}; {more}choose a larger alpha",
                FitWarning,
                stacklevel=2,
            )
        return self

    def p_value(self, images: Any, score: str = "surprisal") -> np.ndarray:
        """Conformal p-values (n,): the share of normal images that score as high or higher (`entropix.scoring`).

        At most alpha for a share alpha of normal images; the smallest is 1 / (number of held-out images + 1).
        """
        scores = self.anomaly_score(images, score)
        return self.calibration_.p_value(scores, score)

    def predict(self, X: Any, alpha: float | None = None) -> np.ndarray:
        """+1 for normal images and -1 for anomalous ones, (n,); of normal images a share `alpha` is called anomalous.

        alpha: None: that of the constructor.

        Raises:
            ValueError: an alpha that is below what the held-out images can tell.
        """
        check_is_fitted(self)
        level = -self.offset_ if alpha is None else self.calibration_.threshold(alpha)
        return np.where(self.anomaly_score(X) <= level, 1, -1)

    def score_samples(self, X: Any) -> np.ndarray:
        """-anomaly_score(X): higher is more normal, as scikit-learn has it."""
        return -self.anomaly_score(X).astype(np.float64)

    def decision_function(self, X: Any) -> np.ndarray:
        """score_samples(X) - offset_: negative for images that `predict` calls anomalous."""
        return self.score_samples(X) - self.offset_

    def regions(self, images: Any, alpha: float | None = None) -> list[list[Region]]:
        """Region proposals of every image: connected parts of its heat map above a calibrated level.

        The level is exceeded anywhere in a share `alpha` (None: that of the constructor) of normal images, so that
        most of them have no region.

        Raises:
            ValueError: an alpha that is below what the held-out images can tell.
        """
        data = self.read(images)
        level = self.calibration_.threshold(self.alpha if alpha is None else alpha, "peak")
        maps = zip(self.surprise_maps(data), data.sizes.tolist(), strict=True)
        return [find_regions(one, level, size) for one, size in maps]

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the detector to `folder` (safetensors and JSON) and return the folder.

        Raises:
            FileExistsError: the folder exists and is not empty, unless it holds a model and `overwrite` is set.
        """
        check_is_fitted(self)
        return storage.save(self, Path(folder), overwrite=overwrite)

    def _take(self, fitted: Fitted) -> EntropixDetector:
        for one in fields(fitted):
            setattr(self, f"{one.name}_", getattr(fitted, one.name))
        self.offset_ = -self.calibration_.threshold(self.calibration_.reachable(self.alpha))
        return self
