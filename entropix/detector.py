"""The fitted detector: a trained autoencoder, the models of what normal images leave over, and what was learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from entropix import storage
from entropix.batches import BATCH_SIZE
from entropix.console import track
from entropix.data import ImageSet, read
from entropix.estimators import Entropy
from entropix.models import Autoencoder
from entropix.ops import reconstruction_error
from entropix.scoring import LatentModel, ResidualModel

SCORES = ("surprisal", "residual")


@dataclass(repr=False)
class EntropixDetector:
    """What `entropix.fit` returns. Images are given as anything `entropix.data.read` takes.

    Attributes:
        latent_dim_: d, the size of the code.
        reason_: why this d, in words.
        entropy_: H(X_n) in nats: value, stderr, ci, dimension (intrinsic), n_distinct, ... None when d was given.
        curve_: what was measured at every candidate d, a list of dictionaries (`entropix.selection.CurvePoint`).
        history_: mean training loss of each epoch.
        model_: the autoencoder, a plain `torch.nn.Module` on images on [-1, 1].
        settings_: data, seed, epochs, versions: how to repeat the fit.
    """

    model_: Autoencoder
    residual_model_: ResidualModel
    latent_model_: LatentModel
    value_range_: tuple[float, float] | None
    entropy_: Entropy | None = None
    reason_: str = ""
    curve_: list[dict[str, float]] = field(default_factory=list)
    history_: list[float] = field(default_factory=list)
    settings_: dict[str, Any] = field(default_factory=dict)

    @property
    def latent_dim_(self) -> int:
        return self.model_.latent_dim

    @property
    def device(self) -> torch.device:
        return self.model_.to_code.weight.device

    def __repr__(self) -> str:
        return f"EntropixDetector(latent_dim_={self.latent_dim_}, entropy_={self.entropy_})"

    def read(self, images: Any, *, split: str = "test", **options: Any) -> ImageSet:
        """Images as this detector takes them: its size and its number of channels (`entropix.data.read`)."""
        return read(images, image_size=self.model_.image_size, channels=self.model_.channels, split=split, **options)

    def anomaly_score(self, images: Any, score: str = "surprisal") -> np.ndarray:
        """Anomaly scores (n,), higher is more anomalous.

        score:
          "surprisal"  -ln p(x | z) - ln p(z) in nats: the residual against what normal images leave over, and the
                       code's place among normal codes (`explain`, `entropix.scoring` say which parts count).
          "residual"   the paper's: mean squared error of the reconstruction, images on [-1, 1].

        Raises:
            ValueError: an unknown score.
            DataError: images that cannot be read.
        """
        if score not in SCORES:
            raise ValueError(f"score={score!r}; expected one of {', '.join(SCORES)}")
        terms = self.explain(images)
        return terms["residual"] if score == "residual" else terms["surprisal"]

    def explain(self, images: Any, progress: bool = False) -> dict[str, np.ndarray]:
        """The scores and the terms of the surprisal, each (n,): "surprisal" is the sum of "conditional" and "latent".

        "conditional" is the quadratic term of -ln p(x | z), "latent" what -ln p(z) exceeds that of every held-out
        normal code by, both in nats; "residual" is the mean squared error.
        """
        parts = [self._terms(x) for x in track(self._batches(images), "scoring", progress)]
        return {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}

    def heatmap(self, images: Any) -> np.ndarray | list[np.ndarray]:
        """Where the surprise of the residual is, in nats per pixel, in the geometry of the input.

        The sum over an image is its "conditional" term, if the input has the model's resolution; the latent term
        has no place in the image. Returns (n, h, w) float32, or a list of (h, w) if the images differ in size.
        """
        data = self.read(images)
        resized = [resize_map(m, size) for m, size in zip(self.surprise_maps(data), data.sizes.tolist(), strict=True)]
        same = len({one.shape for one in resized}) == 1
        return np.stack(resized) if same else resized

    def surprise_maps(self, images: Any, progress: bool = False) -> np.ndarray:
        """`heatmap` at the model's resolution: (n, s, s) float32."""
        maps = [self._map(x) for x in track(self._batches(images), "heat maps", progress)]
        return torch.cat(maps).cpu().numpy()

    def encode(self, images: Any) -> np.ndarray:
        """Codes (n, latent_dim_) float32."""
        with torch.inference_mode():
            return torch.cat([self.model_.encode(x) for x in self._batches(images)]).cpu().numpy()

    def reconstruct(self, images: Any) -> np.ndarray:
        """Reconstructions (n, c, s, s) float32 at the model's resolution, on the scale of [0, 1] (not clipped)."""
        with torch.inference_mode():
            parts = [self.model_(x) for x in self._batches(images)]
        return ((torch.cat(parts) + 1) / 2).cpu().numpy()

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the detector to `folder` (safetensors and JSON) and return the folder.

        Raises:
            FileExistsError: the folder exists and is not empty, unless it holds a model and `overwrite` is set.
        """
        return storage.save(self, Path(folder), overwrite=overwrite)

    def _batches(self, images: Any) -> tuple[Tensor, ...]:
        """Images on [-1, 1] on the model's device, in batches."""
        x = self.read(images).scaled(self.value_range_).to(self.device) * 2 - 1
        return x.split(BATCH_SIZE)

    @torch.inference_mode()
    def _terms(self, x: Tensor) -> dict[str, Tensor]:
        z = self.model_.encode(x)
        x_hat = self.model_.decode(z)
        conditional = self.residual_model_.surprise(x, x_hat)
        latent = self.latent_model_.excess(z)
        return {
            "surprisal": conditional + latent,
            "conditional": conditional,
            "latent": latent,
            "residual": reconstruction_error(x, x_hat),
        }

    @torch.inference_mode()
    def _map(self, x: Tensor) -> Tensor:
        return self.residual_model_.surprise_map(x, self.model_(x))


def resize_map(one: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """A map (s, s) in another geometry (h, w), values unchanged."""
    tensor = torch.from_numpy(one)[None, None]
    return torch.nn.functional.interpolate(tensor, size=tuple(size), mode="bilinear")[0, 0].numpy()


def load(folder: str | Path, device: str = "auto") -> EntropixDetector:
    """The detector that `EntropixDetector.save` wrote to `folder`. Nothing in the folder is executed.

    Raises:
        ModelError: not a model folder, or one of another format version; the message says which file.
    """
    return storage.load(Path(folder), device)
