"""Names that moved: they work for one minor release more, with a warning that says the new one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any


def moved_names(module: str, new_names: dict[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a module, by which old names still work.

    Args:
        module: name of the module.
        new_names: the new names, by the old ones.
    """

    def look_up(name: str) -> Any:
        if name not in new_names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = new_names[name]
        warnings.warn(f"{module}.{name} is now {module}.{new}", DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[module], new)

    return look_up
