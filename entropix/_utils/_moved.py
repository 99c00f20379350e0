"""Names that moved: they work for one minor release more, with a warning that says the new one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any


def moved_names(module: str, new_names: dict[str, str]) -> Callable[[str], Any]:
    """Return a module's `__getattr__` that knows old names of what it still has; new_names: by the old one."""

    def look_up(name: str) -> Any:
        if name not in new_names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = new_names[name]
        warnings.warn(f"{module}.{name} is now {module}.{new}", DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[module], new)

    return look_up
