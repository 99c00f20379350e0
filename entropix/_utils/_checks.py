"""Checks of arguments that many functions take; the messages say what came, what was expected and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def is_whole(value: Any, least: int) -> bool:
    """Return whether a value is a whole number of at least `least`; True and False are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def whole_numbers(values: Any, name: str, least: int) -> list[int]:
    """Return the values of an argument `name` as a list of whole numbers.

    Raises:
        ValueError: not a list of whole numbers of at least `least`, or an empty one.
    """
    numbers = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else []
    if not numbers or not all(is_whole(number, least) for number in numbers):
        raise ValueError(f"{name}={values!r}; expected a list of at least one whole number, each at least {least}")
    return [int(number) for number in numbers]


def check_seed(seed: Any) -> None:
    """Raise ValueError unless a seed is a whole number from 0 to 2^63 - 1."""
    if not is_whole(seed, 0) or seed >= 2**63:
        raise ValueError(f"seed={seed!r}; expected a whole number from 0 to 2^63 - 1")


def check_switches(switches: Mapping[str, Any]) -> None:
    """Raise TypeError unless all values are True or False."""
    for name, value in switches.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{name}={value!r}; expected True or False")


def as_path(value: Any, name: str) -> Path:
    """Return a path that an argument `name` gives.

    Raises:
        TypeError: neither text nor a path.
        ValueError: no text, which would stand for the current folder.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} is {value!r}; expected a path")
    if isinstance(value, str) and not value:
        raise ValueError(f"{name} is an empty text; expected a path, '.' for the current folder")
    return Path(value)
