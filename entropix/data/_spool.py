"""Images that arrive block by block and may be more than the memory holds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import numpy as np
import torch
from torch import Tensor

IN_MEMORY = 2**29  # bytes; more go to a file, whose parts the system keeps in memory as long as there is room


class Spool:
    """Blocks of float32 images, given back in their order. As soon as they are more than 512 MiB, all are in a file.

    The file has no name, is in the folder for temporary files (the environment's TMPDIR), and is gone when the blocks
    were given back, or with the process.
    """

    def __init__(self) -> None:
        self._shapes: list[torch.Size] = []
        self._held: list[Tensor] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def add(self, images: Tensor) -> None:
        """Add one more block, (b, c, s, s).

        Raises:
            OSError: the folder for temporary files has no room for it.
        """
        self._shapes.append(images.shape)
        self._held.append(images)
        self._bytes += images.nbytes
        if self._bytes > IN_MEMORY or self._file is not None:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the spool is)
            with _room_for_images(self._file):
                for block in self._held:
                    self._file.write(block.contiguous().numpy().data)  # `tofile` is silent about a full disk
                self._file.flush()
            self._held, self._bytes = [], 0

    def __iter__(self) -> Iterator[Tensor]:
        """Yield every block once. Blocks in memory are given up as they are yielded, the file after its last block."""
        if self._file is not None:
            self._file.seek(0)
            for shape in self._shapes:  # none of them is held: `add` writes what there is
                yield torch.from_numpy(np.fromfile(self._file, np.float32, shape.numel())).view(shape)
            self._file.close()
        self._held.reverse()
        while self._held:
            yield self._held.pop()


def allocate(shape: tuple[int, ...]) -> Tensor:
    """Return an uninitialised float32 tensor; one of more than 512 MiB is mapped from a file without a name.

    Raises:
        OSError: the folder for temporary files has no room for it.
    """
    size = 4 * int(np.prod(shape, dtype=np.int64))
    if size <= IN_MEMORY:
        return torch.empty(shape)
    with tempfile.TemporaryFile() as file, _room_for_images(file):  # the mapping keeps the file
        if hasattr(os, "posix_fallocate"):  # macOS has none
            # the mapping alone makes a hole, and the process would be killed where the disk can't fill it
            os.posix_fallocate(file.fileno(), 0, size)
        return torch.from_numpy(np.memmap(file, np.float32, "w+", shape=shape))


@contextmanager
def _room_for_images(file: IO[bytes]) -> Iterator[None]:
    """A block in which an OSError closes the file, and says where it is and what to do."""
    try:
        yield
    except OSError as error:
        with suppress(OSError):  # closing tries again to write the rest
            file.close()
        raise OSError(
            f"images of more than {IN_MEMORY / 2**20:.0f} MiB go to a file in {tempfile.gettempdir()}, which failed "
            f"({error}); make room there, or set the environment's TMPDIR to a folder with more"
        ) from error
