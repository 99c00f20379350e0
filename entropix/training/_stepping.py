"""One step of a training: the gradients of a batch, in as many parts as the memory needs; Ctrl-C between two steps."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from entropix._utils import out_of_memory
from entropix.exceptions import MemoryWarning
from entropix.training import _parallel as parallel

FEWEST = 2  # images that have a variance to normalise by


class Gradients:
    """A function that returns the loss of a batch, and leaves its gradients in the parameters of the optimizer.

    Where the device's memory does not hold a batch, the gradients of its halves, quarters, ... are added up, from then
    on and with a warning. They equal those of the batch, except that batch normalisation and running means of errors
    then see a part at a time. Several processes (`entropix.training.parallel`) would have to agree on the number of
    parts, so there the memory error is raised.

    Args:
        objective: the loss of images (n, ...), given a generator.
        optimizer: of the parameters.
        backward: computes the gradients of a loss.
    """

    def __init__(
        self, objective: parallel.Loss, optimizer: torch.optim.Optimizer, backward: Callable[[Tensor], Any]
    ) -> None:
        self.objective, self.optimizer, self.backward = objective, optimizer, backward
        self.parts = 1

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        while True:
            self.optimizer.zero_grad()
            try:
                return self._in_parts(batch, generator)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or len(batch) // (2 * self.parts) < FEWEST or parallel.processes() > 1:
                    raise
            self.parts *= 2
            warnings.warn(
                f"out of memory; going on with gradients of {len(batch) // self.parts} images at a time, added up to "
                f"those of {len(batch)}",
                MemoryWarning,
                stacklevel=2,
            )

    def _in_parts(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        losses = []
        for part in batch.chunk(self.parts):
            loss = self.objective(part, generator) * (len(part) / len(batch))
            self.backward(loss)
            losses.append(loss.detach())
        return parallel.total(torch.stack(losses).sum()) / parallel.processes()


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Defer Ctrl-C in this block to its end; the yielded function says whether it was pressed.

    KeyboardInterrupt is then raised at the end of the block; a second Ctrl-C raises it at once. Ctrl-C works as ever in
    threads other than the main one, where Python's own handler is not in place, and in one of several processes
    (`entropix.training.parallel`), as the others would wait for it.
    """
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        and parallel.processes() == 1
    )
    pressed = False

    def handle(*_: Any) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if ours:
        signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: pressed
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt
