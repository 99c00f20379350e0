"""What plots need of a fitted detector."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from entropix.estimators import Entropy
from entropix.scoring import Calibration


class Drawn(Protocol):
    """The part of `entropix.EntropixDetector` that is drawn; its documentation says what each is."""

    alpha: float
    offset_: float
    entropy_: Entropy | None
    calibration_: Calibration

    @property
    def latent_dim_(self) -> int: ...

    @property
    def curve_(self) -> list[dict[str, float]]: ...

    @property
    def history_(self) -> list[float]: ...

    def heatmap(self, images: Any) -> np.ndarray | list[np.ndarray]: ...

    def reconstruct(self, images: Any) -> np.ndarray: ...
