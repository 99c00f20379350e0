"""The outputs of a fitted detector: scores, their terms, heat maps, codes, reconstructions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from entropix._utils import INFERENCE_BATCH, each_batch, in_batches, track
from entropix.data import ImageSet, ImageView, Select, Standard, check_vectors, read
from entropix.data.formats import resize_map
from entropix.scoring import (
    DEFAULT_SCORE,
    MAP,
    SCORES,
    ActivationModel,
    FeatureModel,
    ForeignNetwork,
    LatentModel,
    Outputs,
    ResidualModel,
    ScoreName,
    Terms,
    check_score,
)
from entropix.training import Fingerprints


class Scorer:
    """The part of `EntropixDetector` that needs nothing but what a fit has learnt (`entropix.detector.Fitted`)."""

    model_: Any  # an ImageAutoencoder, or a DenseAutoencoder of vectors
    network_: ForeignNetwork | None
    residual_model_: ResidualModel | FeatureModel
    latent_model_: ActivationModel | LatentModel
    fingerprints_: Fingerprints | None
    value_range_: tuple[float, float] | None
    standard_: Standard | None
    settings_: dict[str, Any]

    @property
    def latent_dim_(self) -> int:
        """d, the size of the code."""
        return self.model_.latent_dim

    @property
    def device_(self) -> torch.device:
        """The device that the fitted detector computes on."""
        return self.model_.device

    def read(self, images: Any, *, split: str = "test", **options: Any) -> ImageSet:
        """Read images as this detector takes them: in its size, with its channels and slices.

        Args:
            images: anything that `entropix.data.read` takes.
            split: "train" or "test", where the source has both.
            **options: further arguments of `entropix.data.read`.

        Raises:
            ValueError: the detector was fitted to vectors.
            DataError: images that cannot be read, or on another scale than the training images.
        """
        check_is_fitted(self)
        if self.standard_ is not None:
            raise ValueError("this detector was fitted to flat feature vectors; it takes arrays (n, p), not images")
        options = {"select": Select(**self.settings_.get("select", {}))} | options
        data = read(images, image_size=self.model_.image_size, channels=self.model_.channels, split=split, **options)
        data.scaling(self.value_range_)  # refuses images of another unit, whatever is then done with them
        return data

    def anomaly_score(self, images: Any, score: ScoreName = DEFAULT_SCORE) -> np.ndarray:
        """Return anomaly scores (n,); higher is more anomalous.

        Args:
            images: images, or vectors (n, p).
            score: "surprisal" is -ln p(x | z) - ln p(z) in nats: the residual against what normal images leave over,
                and the code's place among normal codes (`explain`, `entropix.scoring` say which parts count).
                "residual" is the paper's: mean squared error of the reconstruction, images on [-1, 1].

        Raises:
            ValueError: an unknown score.
            DataError: images that cannot be read.
        """
        check_score(score)
        return self.explain(images)[score]

    def explain(self, images: Any, progress: bool = False, *, maps: bool = False) -> dict[str, np.ndarray]:
        """Return the scores and the terms of the surprisal by name, each (n,).

        "surprisal" is the sum of "conditional" and "latent". "conditional" is the quadratic term of -ln p(x | z);
        "latent" is that of -ln p of the activations of the encoder and of the foreign-content network; for vectors, the
        amount by which -ln p(z) exceeds that of every held-out normal code. All three are in nats.
        "residual" is the mean squared error.

        Args:
            images: images, or vectors (n, p).
            progress: show a progress bar on standard error.
            maps: give `surprise_maps` too, as "map": scores and maps are then computed in one go.
        """

        def terms(x: Tensor) -> dict[str, Tensor]:
            return {name: values for name, values in self._terms(x).items() if maps or name != MAP}

        x = self._inputs(images)
        total = math.ceil(len(x) / INFERENCE_BATCH)
        parts = list(track(each_batch(terms, x), "scoring", progress, total=total))
        return {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}

    def heatmap(self, images: Any) -> np.ndarray | list[np.ndarray]:
        """Return where the surprise of the residual is, in nats per pixel, in the geometry of the input.

        If the input has the model's resolution, the sum over an image is its "conditional" term, without the part of
        position and exposure. That part and the latent term concern the whole image and have no place in it.

        Args:
            images: images, or vectors (n, p).

        Returns:
            (n, h, w) float32, or a list of (h, w) if the images differ in size; for vectors nats per feature, (n, p).
        """
        check_is_fitted(self)
        if self.standard_ is not None:
            return self.surprise_maps(images)
        data = self.read(images)
        resized = [resize_map(m, size) for m, size in zip(self.surprise_maps(data), data.sizes.tolist(), strict=True)]
        same = len({one.shape for one in resized}) == 1
        return np.stack(resized) if same else resized

    def surprise_maps(self, images: Any, progress: bool = False) -> np.ndarray:
        """Return `heatmap` at the model's resolution: (n, s, s) float32."""
        return self.explain(images, progress, maps=True)[MAP]

    def copies(self, images: Any) -> np.ndarray:
        """Return (n,) whether each image is a copy or near copy of one of the fit's, brighter or darker ones included.

        The autoencoder may know such images by heart: what is measured on them is memory. A fit of more than 20,000
        distinct images knows the copies of so many.

        Raises:
            ValueError: the detector was fitted to vectors.
        """
        data = self.read(images)
        assert self.fingerprints_ is not None
        return self.fingerprints_.copies(ImageView.from_set(data, self.value_range_, self.device_))

    def encode(self, images: Any) -> np.ndarray:
        """Return the codes (n, latent_dim_) float32."""
        x = self._inputs(images)
        return in_batches(self.model_.encode, x).cpu().numpy()

    def reconstruct(self, images: Any) -> np.ndarray:
        """Return the reconstructions (n, c, s, s) float32 at the model's resolution, on the scale of [0, 1], unclipped.

        Those of vectors are (n, p), in the vectors' own units.
        """
        x = self._inputs(images)
        x_hat = in_batches(self.model_, x).cpu()
        return (self.standard_.undo(x_hat) if self.standard_ is not None else (x_hat + 1) / 2).numpy()

    def _inputs(self, images: Any) -> Tensor | ImageView:
        """Inputs in the units of the model, on its device."""
        check_is_fitted(self)
        if self.standard_ is not None:
            return self.standard_.apply(check_vectors(self, images, reset=False)).to(self.device_)
        return ImageView.from_set(self.read(images), self.value_range_, self.device_)

    @torch.inference_mode()
    def _terms(self, x: Tensor) -> dict[str, Tensor]:
        return self.terms(Outputs.of(x, self.model_, self.network_))

    def terms(self, outputs: Outputs) -> dict[str, Tensor]:
        """Return what `explain` returns with maps, as tensors."""
        surprise = self.residual_model_.surprise(outputs)
        latent = self.latent_model_.nats(self.latent_model_.measure(outputs))
        terms = Terms(outputs, surprise.total, latent)
        scores = {name: score.function(terms) for name, score in SCORES.items()}
        return scores | {"conditional": terms.conditional, "latent": latent, MAP: surprise.places}


def check_detector(detector: Any) -> None:
    """Raise TypeError unless this is a detector, and scikit-learn's NotFittedError unless it is fitted."""
    if not isinstance(detector, Scorer):
        raise TypeError(
            f"{type(detector).__name__} as a detector; expected an EntropixDetector, such as entropix.load(folder)"
        )
    check_is_fitted(detector)
