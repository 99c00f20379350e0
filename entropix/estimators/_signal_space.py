"""The signal subspace of a set of images: principal components above the noise.

Pixel noise adds the same amount to every distance between images. Entropy and intrinsic dimension are read off the
smallest distances, so a little noise in thousands of pixels hides the manifold (two true factors appear as a hundred
dimensions). Components whose singular values exceed the optimal hard threshold for white noise of unknown level are
kept (Gavish and Donoho 2014, eq. 5): what they leave out cannot be told from noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SignalSpace:
    """The principal components of images that stand out of the noise (Gavish and Donoho 2014, eq. 5).

    Attributes:
        axes: Orthonormal directions (p, r) in the space of p pixel values.
        mean: Mean image (p,).
    """

    axes: Tensor
    mean: Tensor

    @classmethod
    def from_images(cls, images: Tensor) -> SignalSpace:
        """Find the signal subspace of images; at least one component is kept.

        Args:
            images: Normal images (n, c, s, s), floating point, with p = c s s values each.

        Returns:
            Axes and mean in the images' dtype, on their device.
        """
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
        """Return the coordinates of images; distances between them are those of the pixels within the subspace.

        Args:
            images: Images (n, c, s, s), in the dtype and on the device of `axes`.

        Returns:
            Coordinates (n, r).
        """
        return (images.flatten(1) - self.mean) @ self.axes
