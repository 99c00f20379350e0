"""When what has failed is tried again: after pauses that grow."""

from __future__ import annotations

import time
from collections import defaultdict

FIRST_SECONDS = 30.0  # and twice as long every time
LONGEST_SECONDS = 900.0


class Retries:
    """What has failed, by name, and for how long it is left alone."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = defaultdict(int)
        self._next: dict[str, float] = {}

    def due(self, name: str) -> bool:
        """Return whether it is time to try, for the first time or again."""
        return time.monotonic() >= self._next.get(name, 0.0)

    def later(self, name: str) -> None:
        """Count a failure, and leave this alone for a while."""
        pause = min(FIRST_SECONDS * 2.0 ** min(self._failures[name], 30), LONGEST_SECONDS)
        self._next[name] = time.monotonic() + pause
        self._failures[name] += 1

    def done(self, name: str) -> None:
        """Forget the failures."""
        self._failures.pop(name, None)
        self._next.pop(name, None)
