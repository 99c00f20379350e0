"""`EntropixDetector`: fits, scores, says where, decides; an outlier detector of scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from entropix._utils import Epoch, as_path, resolve_device
from entropix.data import are_vectors, check_vectors, read
from entropix.detector import _storage as storage
from entropix.detector._fitted import Fitted
from entropix.detector._learn import fit_images
from entropix.detector._learn_vectors import fit_vectors
from entropix.detector._notebook import CurveTable, Notebook
from entropix.detector._recalibrate import images_of_site, recalibrated, rows_of_site, shift_of
from entropix.detector._scorer import Scorer
from entropix.estimators import Entropy
from entropix.exceptions import FitWarning
from entropix.options import FitOptions, with_hints
from entropix.scoring import (
    DEFAULT_SCORE,
    PEAK,
    Calibration,
    Region,
    ScoreName,
    false_discovery_adjusted,
    find_regions,
)
from entropix.strategies import StrategyName
from entropix.training import MOST_HELD_OUT, Checkpoint


class EntropixDetector(Notebook, Scorer, OutlierMixin, BaseEstimator):
    """An autoencoder of normal images with models of its residuals and codes; `entropix.fit` makes and fits one.

    Images are given as anything `entropix.data.read` takes, flat feature vectors as (n, p); n of 10 to 19 distinct
    are warned of (`FitWarning`), fewer refused.
    `anomaly_score` is high for anomalous images; scikit-learn's `score_samples` is its negative.

    Its arguments are the options of the same names in `entropix.options.FitOptions`.

    Attributes:
        latent_dim_: d, the size of the code.
        reason_: why this d, in words; or that the training was too short to tell, and `settings_["enough_epochs"]` has
            a number of epochs to try.
        entropy_: H(X_n) in nats: value, stderr, ci, dimension (intrinsic), n_distinct, ... None when d was given.
        curve_: measurements at every candidate d, a list of dictionaries (`entropix.selection.CurvePoint`). A notebook
            shows it as a table, and `curve_.to_frame()` is a pandas `DataFrame`.
        history_: mean training loss of each epoch.
        calibration_: scores of held-out normal images (`entropix.scoring.Calibration`).
        offset_: `predict` calls images with `score_samples` below it anomalous.
        model_: the autoencoder, a plain `torch.nn.Module` on images on [-1, 1] (vectors: on `standard_` features).
        settings_: data, seed, epochs, versions: how to repeat the fit.
    """

    calibration_: Calibration
    entropy_: Entropy | None
    reason_: str
    curve_: CurveTable
    history_: list[float]
    offset_: float
    n_features_in_: int
    feature_names_in_: np.ndarray

    @with_hints
    def __init__(
        self,
        latent_dim: int | Literal["auto"] = "auto",
        *,
        strategy: StrategyName = "select",
        architecture: str = "convolutional",
        image_size: int = 32,
        epochs: int | None = None,
        seed: int = 0,
        alpha: float = 0.05,
        device: str = "auto",
    ) -> None:
        self.latent_dim = latent_dim
        self.strategy = strategy
        self.architecture = architecture
        self.image_size = image_size
        self.epochs = epochs
        self.seed = seed
        self.alpha = alpha
        self.device = device

    @classmethod
    def from_fitted(cls, fitted: Fitted, **parameters: Any) -> EntropixDetector:
        """Return a fitted detector.

        Args:
            fitted: what was learnt.
            **parameters: those of the constructor.
        """
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
        """Learn from normal images or vectors, and return the detector itself.

        Args:
            X: normal images, as anything `entropix.data.read` takes, or vectors (n, p).
            y: ignored.
            progress: as for `entropix.fit`.
            skip_unreadable: as for `entropix.fit`.
            on_epoch: as for `entropix.fit`.
            checkpoint: keeps the state of the training (`entropix.fit` with `out` makes one).

        Raises:
            DataError: unreadable, constant or too few images; the message says what to do.
            ValueError: a parameter out of its range, unsuitable vectors.
        """
        run: dict[str, Any] = {"progress": progress, "skip_unreadable": skip_unreadable, "on_epoch": on_epoch}
        options = FitOptions(**{name: getattr(self, name) for name in FitOptions().parameters()}, **run)
        resolve_device(options.device)
        if are_vectors(X):
            fitted = fit_vectors(check_vectors(self, X, reset=True), options, checkpoint)
        else:
            fitted = fit_images(read(X, **options.reading()), options, checkpoint)
        self._take(fitted)
        self._warn_of_level("fit on")
        return self

    def recalibrate(self, images: Any, *, skip_unreadable: bool = False, **options: Any) -> EntropixDetector:
        """Return a detector for another site, from normal images of it: of another scanner, or another protocol.

        The networks are kept. Renewed are the levels of the residual, p-values, thresholds and the levels of
        `regions`; they hold for images of the site. `settings_["recalibrated"]` says how far its images are from
        those of the fit (`entropix.scoring.Shift`).

        Args:
            images: normal images, at least 16 of two patients or volumes, or vectors (n, p). At most 2,000 are used.
                Those that are labelled abnormal are left out.
            skip_unreadable: as for `entropix.fit`.
            **options: further arguments of `entropix.data.read`.

        Raises:
            DataError: unreadable, constant or too few images.
            ValueError: unsuitable vectors.
        """
        check_is_fitted(self)
        if self.standard_ is not None:
            site = rows_of_site(self, images, self.seed)
        else:
            data = self.read(images, split="train", skip_unreadable=skip_unreadable, **options)
            site = images_of_site(self, data, skip_unreadable, self.seed)
        shift = shift_of(self, self.calibration_, site, self.calibration_.reachable(self.alpha))
        new = EntropixDetector(**self.get_params())._take(recalibrated(self._fitted(), site, shift))
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(new, name, getattr(self, name))
        new._warn_of_level("recalibrate with")
        return new

    def _warn_of_level(self, how: str) -> None:
        """Warn if too few images were held out for alpha."""
        least = self.calibration_.least
        if self.alpha < least:
            more = f"{how} more images, or " if math.ceil(1 / self.alpha) <= MOST_HELD_OUT else ""
            warnings.warn(
                f"{len(self.calibration_)} held-out normal images tell false-positive rates from {least:.3g} on, not "
                f"alpha={self.alpha}: predict() uses {least:.3g}; {more}choose a larger alpha",
                FitWarning,
                stacklevel=3,
            )

    def p_value(self, images: Any, score: ScoreName = DEFAULT_SCORE, *, fdr: float | None = None) -> np.ndarray:
        """Return conformal p-values (n,): the share of normal images that score as high or higher.

        A share alpha of normal images has p-values of at most alpha; the smallest there can be is
        1 / (number of held-out images + 1).

        Args:
            images: images, or vectors (n, p).
            score: name of the score.
            fdr: a false discovery rate: p-values are adjusted for the number of images, and of those that are at most
                `fdr` a share of at most `fdr` belongs to normal images, in expectation (Benjamini and Hochberg 1995).
                None: every image is judged on its own.

        Raises:
            ValueError: an `fdr` that is not between 0 and 1.
        """
        scores = self.anomaly_score(images, score)  # first: it says whether the detector is fitted
        p_values = self.calibration_.p_value(scores, score)
        return p_values if fdr is None else false_discovery_adjusted(p_values, fdr)

    def predict(self, X: Any, alpha: float | None = None, *, fdr: float | None = None) -> np.ndarray:
        """Return +1 for normal images and -1 for anomalous ones, (n,).

        Args:
            X: images, or vectors (n, p).
            alpha: share of normal images that are called anomalous. None: that of the constructor.
            fdr: instead of alpha, the largest share of normal images among those that are called anomalous (`p_value`).

        Raises:
            ValueError: an alpha that is below what the held-out images can tell; both `alpha` and `fdr`.
        """
        check_is_fitted(self)
        if fdr is not None:
            if alpha is not None:
                raise ValueError("alpha and fdr: give one, a share of the normal images or of those called anomalous")
            return np.where(self.p_value(X, fdr=fdr) <= fdr, -1, 1)
        level = -self.offset_ if alpha is None else self.calibration_.threshold(alpha)
        return np.where(self.anomaly_score(X) <= level, 1, -1)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return -anomaly_score(X), (n,): higher is more normal, as scikit-learn has it."""
        return -self.anomaly_score(X).astype(np.float64)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return score_samples(X) - offset_, (n,): negative for images that `predict` calls anomalous."""
        return self.score_samples(X) - self.offset_

    def regions(self, images: Any, alpha: float | None = None) -> list[list[Region]]:
        """Return the region proposals of every image: connected parts of its heat map above a calibrated level.

        Args:
            images: images.
            alpha: share of normal images whose heat map exceeds the level anywhere, so that most of them have no
                region. None: that of the constructor.

        Raises:
            ValueError: an alpha that is below what the held-out images can tell.
        """
        data = self.read(images)
        level = self.calibration_.threshold(self.alpha if alpha is None else alpha, PEAK)
        maps = zip(self.surprise_maps(data), data.sizes.tolist(), strict=True)
        return [find_regions(one, level, size) for one, size in maps]

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the detector to a folder (safetensors and JSON) and return the folder.

        Args:
            folder: a new or empty folder.
            overwrite: let it be a folder that already holds a model.

        Raises:
            FileExistsError: the folder exists and is not empty, unless it holds a model and `overwrite` is set.
        """
        check_is_fitted(self)
        parameters = {name: value for name, value in self.get_params().items() if name != "device"}
        names = getattr(self, "feature_names_in_", None)
        stored = storage.Stored(self._fitted(), parameters, None if names is None else list(names))
        return storage.save(stored, as_path(folder, "folder"), overwrite=overwrite)

    def _take(self, fitted: Fitted) -> EntropixDetector:
        self.model_, self.network_ = fitted.model, fitted.network
        self.residual_model_, self.latent_model_ = fitted.residual_model, fitted.latent_model
        self.calibration_ = fitted.calibration
        self.fingerprints_ = fitted.fingerprints
        self.value_range_, self.standard_ = fitted.value_range, fitted.standard
        self.entropy_, self.reason_, self.curve_ = fitted.entropy, fitted.reason, CurveTable(fitted.curve)
        self.history_, self.settings_ = fitted.history, fitted.settings
        self.offset_ = -self.calibration_.threshold(self.calibration_.reachable(self.alpha))
        return self

    def _fitted(self) -> Fitted:
        return Fitted(
            self.model_,
            self.network_,
            self.residual_model_,
            self.latent_model_,
            self.calibration_,
            self.fingerprints_,
            self.value_range_,
            self.standard_,
            self.entropy_,
            self.reason_,
            self.curve_,
            self.history_,
            self.settings_,
        )
