"""Images as a model takes them, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from entropix.data._imageset import ImageSet, Scaling


class ImageView:
    """Some images of a set, (n, c, s, s) on [-1, 1], indexed like a tensor; only the indexed images are computed.

    The set itself may be mapped from a file and larger than the memory. With a GPU it is kept there if it fits into
    half of the free memory.

    Attributes:
        device: device of the tensors that indexing returns.
    """

    def __init__(self, images: Tensor, scaling: Scaling, rows: Tensor, device: torch.device) -> None:
        self.device = device
        self._images, self._scaling, self._rows = images, scaling, rows

    @classmethod
    def from_set(cls, data: ImageSet, value_range: tuple[float, float] | None, device: torch.device) -> ImageView:
        """Return a view of all images of a set.

        Args:
            data: the set.
            value_range: `value_range()` of the training images, by which it is scaled.
            device: device of the tensors that indexing returns.

        Raises:
            DataError: as for `ImageSet.scaled`.
        """
        images = data.pixels
        if device.type == "cuda" and images.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
            images = images.to(device)
        return cls(images, data.scaling(value_range), torch.arange(len(images), device=images.device), device)

    def subset(self, indices: Sequence[int] | np.ndarray) -> ImageView:
        """Return a view of the images at `indices` (m,), in that order."""
        chosen = torch.as_tensor(indices, dtype=torch.int64).to(self._rows.device)
        return ImageView(self._images, self._scaling, self._rows[chosen], self.device)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> torch.Size:
        """Shape of all images, (n, c, s, s)."""
        return torch.Size((len(self), *self._images.shape[1:]))

    def __getitem__(self, chosen: Tensor | slice) -> Tensor:
        """Return images (m, c, s, s) on the device: those of a slice, or at integer indices (m,)."""
        if isinstance(chosen, Tensor):
            chosen = chosen.to(self._rows.device)
        return self._scaling(self._images[self._rows[chosen]]).to(self.device) * 2 - 1
