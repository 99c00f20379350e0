"""Settings of the process that several threads need for a while: the first one changes them, the last one puts back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class SharedSettings:
    """Attributes that have other values while any thread is in a block of `changed`.

    If every block put back what it found, then the last of two overlapping ones would put back what the first one set.

    Args:
        where: object that has the attributes.
        values: their values in the blocks.
    """

    def __init__(self, where: Any, values: Mapping[str, Any]) -> None:
        self._where, self._values = where, values
        self._before: dict[str, Any] = {}
        self._turn, self._blocks = threading.Lock(), 0

    @contextmanager
    def changed(self) -> Iterator[None]:
        with self._turn:
            if not self._blocks:
                self._before = {name: getattr(self._where, name) for name in self._values}
                self._set(self._values)
            self._blocks += 1
        try:
            yield
        finally:
            with self._turn:
                self._blocks -= 1
                if not self._blocks:
                    self._set(self._before)

    def _set(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            setattr(self._where, name, value)
