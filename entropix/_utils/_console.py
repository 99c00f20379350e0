"""Progress: a bar on a terminal (standard error) and in a notebook; elsewhere a line now and then of a long training.

In a notebook Rich draws its bar by ipywidgets, which Jupyter, VS Code and Colab have; where it is missing, lines come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import TypeVar

import rich.progress
from rich.console import Console, RenderableType

T = TypeVar("T")


LINE_SECONDS = 15.0  # between lines where there is no terminal


@dataclass(frozen=True)
class Epoch:
    """The state of a training after an epoch.

    The last three numbers are measured now and then while images are fitted, on a few held-out images on [-1, 1]. In
    between, and for vectors, they are None.

    Attributes:
        epoch: number of epochs that are done.
        epochs: number of epochs of the training.
        loss: mean loss of the last epoch.
        seconds: time since the start.
        error_held_out: mean squared error of the held-out images.
        entropy: entropy of their reconstructions, nats. It approaches `entropy_images`.
        entropy_images: H(X_n) of the same images, nats.
    """

    epoch: int
    epochs: int
    loss: float
    seconds: float
    error_held_out: float | None = None
    entropy: float | None = None
    entropy_images: float | None = None


class Progress:
    """A progress bar.

    Args:
        description: what is under way.
        total: number of steps, or of epochs.
        enabled: whether anything is shown.
        on_epoch: called after every epoch, whether or not anything is shown.
    """

    def __init__(
        self, description: str, total: int, enabled: bool = True, on_epoch: Callable[[Epoch], None] | None = None
    ) -> None:
        self._console = console = Console(stderr=True)
        self._description, self._total, self._on_epoch = description, total, on_epoch
        self.watched = enabled or on_epoch is not None
        drawn = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
        self._lines = enabled and not drawn
        self._started = self._last_line = time.monotonic()
        self._bar = _Bar(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[note]}"),
            rich.progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (enabled and drawn),
        )
        self._task = self._bar.add_task(description, total=total, note="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def epoch(self, done: int, loss: float, **measured: float) -> None:
        """Show that `done` epochs are over, the last with mean loss `loss`; measured: further fields of `Epoch`."""
        if measured:
            text = "held-out error {error_held_out:.4g}, entropy {entropy:.1f} of {entropy_images:.1f} nats"
            self._bar.below = text.format(**measured)
        self._bar.update(self._task, completed=done, note=f"loss {loss:.4g}")
        now = time.monotonic()
        seconds = now - self._started
        if self._lines and now - self._last_line > LINE_SECONDS:
            self._last_line = now
            left = seconds / done * (self._total - done)
            reached = [f"epoch {done} of {self._total}", f"loss {loss:.4g}", *filter(None, [self._bar.below])]
            line = f"{self._description}: {', '.join(reached)}, about {left:.0f} s left"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        if self._on_epoch is not None:
            self._on_epoch(Epoch(done, self._total, loss, seconds, **measured))

    def step(self, done: int) -> None:
        """Show that `done` steps are over."""
        self._bar.update(self._task, completed=done)

    def message(self, text: str) -> None:
        """Replace the description by `text`."""
        self._bar.update(self._task, description=text, note="")


class _Bar(rich.progress.Progress):
    """A bar with a line of text below, which has no room beside it on a narrow terminal."""

    below = ""  # the last measurements

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.below:
            yield self.below


def track(items: Iterable[T], description: str, enabled: bool, total: int | None = None) -> Iterator[T]:
    """Yield `items`, with a bar; `total` is their number where they have no length."""
    if total is None:
        total = len(items) if isinstance(items, Sized) else 0
    with Progress(description, total, enabled and total > 1) as bar:
        for done, item in enumerate(items):
            bar.step(done)
            yield item
