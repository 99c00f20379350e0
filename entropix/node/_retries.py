"""When a study is tried again that could not be scored or sent, and when no more."""

from __future__ import annotations

import math
import time
from collections import defaultdict

FIRST_SECONDS = 30.0  # of waiting, and twice as long every time
MOST_TRIES = 6  # a quarter of an hour


class Retries:
    """The studies that have failed, by name, and for how long they are left alone."""

    def __init__(self) -> None:
        self._failed: dict[str, int] = defaultdict(int)
        self._next: dict[str, float] = {}

    def due(self, name: str) -> bool:
        """Return whether it is time to try a study, for the first time or again."""
        return time.monotonic() >= self._next.get(name, 0.0)

    def later(self, name: str) -> None:
        """Leave a study alone for a while, which does not count as a failure."""
        self._next[name] = time.monotonic() + FIRST_SECONDS

    def failed(self, name: str) -> bool:
        """Count a failure; return whether the study is tried again, after a while."""
        self._failed[name] += 1
        again = self._failed[name] < MOST_TRIES
        self._next[name] = time.monotonic() + FIRST_SECONDS * 2 ** (self._failed[name] - 1) if again else math.inf
        return again

    def done(self, name: str) -> None:
        """Forget a study's failures."""
        self._failed.pop(name, None)
        self._next.pop(name, None)
