"""Images that arrive block by block and may be more than the memory holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

import numpy as np
import torch
from torch import Tensor

IN_MEMORY = 2**29  # bytes; more go to a file, whose parts the system keeps in memory as long as there is room


class Spool:
    """Blocks of float32 images, given back in their order. More than 512 MiB are in a file without a name.

    The file is in the folder for temporary files (the environment's TMPDIR) and goes with the process.
    """

    def __init__(self) -> None:
        self._shapes: list[torch.Size] = []
        self._held: list[Tensor] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def add(self, images: Tensor) -> None:
        """Take one more block, (b, c, s, s)."""
        self._shapes.append(images.shape)
        self._held.append(images)
        self._bytes += images.nbytes
        if self._bytes > IN_MEMORY or self._file is not None:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the spool is)
            for block in self._held:
                block.contiguous().numpy().tofile(self._file)
            self._held, self._bytes = [], 0

    def __iter__(self) -> Iterator[Tensor]:
        """Every block, once: what is in memory or in the file is given up."""
        if self._file is not None:
            self._file.seek(0)
            for shape in self._shapes[: len(self._shapes) - len(self._held)]:
                yield torch.from_numpy(np.fromfile(self._file, np.float32, shape.numel())).view(shape)
            self._file.close()
        self._held.reverse()
        while self._held:
            yield self._held.pop()


def allocate(shape: tuple[int, ...]) -> Tensor:
    """An uninitialised float32 tensor; of more than 512 MiB it is mapped from a file without a name."""
    if 4 * np.prod(shape, dtype=np.int64) <= IN_MEMORY:
        return torch.empty(shape)
    with tempfile.TemporaryFile() as file:  # the mapping keeps it
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=shape))
