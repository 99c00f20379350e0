"""Progress on standard error: a bar on a terminal, silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import TypeVar

import rich.progress
from rich.console import Console

T = TypeVar("T")


class Progress:
    """A bar over `total` steps; nothing is shown unless `enabled` and standard error is a terminal."""

    def __init__(self, description: str, total: int, enabled: bool = True) -> None:
        console = Console(stderr=True)
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[note]}"),
            rich.progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (enabled and console.is_terminal),
        )
        self._task = self._bar.add_task(description, total=total, note="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def epoch(self, done: int, loss: float) -> None:
        """`done` epochs are over, the last with mean loss `loss`."""
        self._bar.update(self._task, completed=done, note=f"loss {loss:.4g}")

    def step(self, done: int) -> None:
        """`done` steps are over."""
        self._bar.update(self._task, completed=done)

    def message(self, text: str) -> None:
        """Replace the description."""
        self._bar.update(self._task, description=text, note="")


def track(items: Iterable[T], description: str, enabled: bool, total: int | None = None) -> Iterator[T]:
    """Pass `items` on, with a bar; `total` is their number where they have no length."""
    if total is None:
        total = len(items) if isinstance(items, Sized) else 0
    with Progress(description, total, enabled and total > 1) as bar:
        for done, item in enumerate(items):
            bar.step(done)
            yield item
