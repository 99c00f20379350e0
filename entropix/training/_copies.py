"""Copies of a fit's images among others, found without these images.

Of each distinct image 32 random projections are kept: of the image in grey at 32 x 32, its mean taken out and brought
to unit length, so that a picture made brighter or of more contrast is a copy too. Projections keep distances to within
an eighth (Johnson and Lindenstrauss 1984), and by distances `find_copies` tells what lies closer to a known image than
distinct images do. 32 numbers of a thousand are no image, but with other images of the kind at hand much of it can be
drawn from them, and they say whether an image was in the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from entropix._utils import Rows, in_batches
from entropix.estimators import find_copies

SIZE, NUMBERS = 32, 32
MOST_KNOWN = 20_000  # images that are kept in mind: 2.5 MB


@dataclass(frozen=True)
class Fingerprints:
    """What tells copies of images, made by `Fingerprints.fit`.

    Attributes:
        projection: (1024, 32).
        known: (N, 32) projections of the distinct images.
    """

    projection: Tensor
    known: Tensor

    @classmethod
    def fit(cls, *images: Rows) -> Fingerprints:
        """Keep distinct images (n, c, s, s) in mind, the first 20,000."""
        projection = torch.randn(SIZE**2, NUMBERS, generator=torch.Generator().manual_seed(0))
        none = cls(projection.to(images[0][:1].device), torch.empty(0))
        return cls(none.projection, torch.cat([in_batches(none.project, part) for part in images])[:MOST_KNOWN])

    def project(self, x: Tensor) -> Tensor:
        """Return the numbers (n, 32) of images x (n, c, s, s)."""
        grey = F.adaptive_avg_pool2d(x.mean(1), SIZE).flatten(1)
        return F.normalize(grey - grey.mean(1, keepdim=True)) @ self.projection

    def copies(self, x: Rows) -> np.ndarray:
        """Return (n,) whether each of images x (n, c, s, s) is a copy or near copy of one that is kept in mind."""
        return find_copies(in_batches(self.project, x), self.known).cpu().numpy()
