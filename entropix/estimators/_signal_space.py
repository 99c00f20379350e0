"""The signal subspace of a set of images: principal components above the noise.

Pixel noise adds the same amount to every distance between images. Entropy and intrinsic dimension are read off
the smallest distances, so a little noise in thousands of pixels hides the manifold (two true factors appear as
a hundred dimensions). Components whose singular values exceed the optimal hard threshold for white noise of
unknown level are kept (Gavish and Donoho 2014, equation 5): what they leave out cannot be told from noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SignalSpace:
    """axes (p, r): orthonormal directions in pixel space; mean (p,)."""

    axes: Tensor
    mean: Tensor

    @classmethod
    def from_images(cls, images: Tensor) -> SignalSpace:
        """Of normal images (n, c, s, s), p = c s s; keeps at least one component."""
        flat = images.flatten(1)
        mean = flat.mean(0)
        _, singular, axes = torch.linalg.svd(flat - mean, full_matrices=False)
        beta = min(flat.shape) / max(flat.shape)
        omega = 0.56 * beta**3 - 0.95 * beta**2 + 1.82 * beta + 1.43
        # n centred images span n - 1 dimensions; the zero beyond them is no part of the noise
        noise = singular[: min(len(flat) - 1, flat.shape[1])]
        rank = int((singular > omega * noise.median()).sum())
        return cls(axes[: max(rank, 1)].T, mean)

    def project(self, images: Tensor) -> Tensor:
        """Coordinates (n, r) of images (n, c, s, s); distances within the subspace are those in pixels."""
        return (images.flatten(1) - self.mean) @ self.axes
