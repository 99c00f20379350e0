"""How an option is given on the command line, and written down so that a fit can be repeated."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entropix.data import Globs, Select


def _same(value: Any) -> Any:
    return value


def _name_and_value(name: str, value: Any) -> list[str]:
    return [f"--{name} {value}"]


@dataclass(frozen=True)
class Flag:
    """A flag `--name` of `entropix fit`.

    Attributes:
        help: one line for `--help`.
        type: type of the flag's value; None: that of the option.
        parse: turns the flag's value into the option's; raises ValueError for a value that is not possible.
        words: turns the option's value into words of a command line, possibly none.
        name: name of the flag without dashes, where it is not that of the option.
        least: smallest number that is possible.
        repeat: whether the command that repeats a fit has the flag.
    """

    help: str
    type: Any = None
    parse: Callable[[Any], Any] = _same
    words: Callable[[str, Any], Sequence[str]] = _name_and_value
    name: str = ""
    least: int | None = None
    repeat: bool = False


def parse_latent_dim(text: str) -> int | str:
    """Return "auto" or a number of latents.

    Raises:
        ValueError: another text.
    """
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"--latent-dim {text!r}: expected auto or a whole number of at least 1")
    return int(text)


def parse_select(texts: Sequence[str] | None) -> Select | None:
    """Return what is to be read; None if nothing was said."""
    from entropix.data import Select

    return Select.parse(texts) if texts else None


def select_words(name: str, value: Select | None) -> list[str]:
    """Return the flags that `parse_select` makes `value` of."""
    return [] if value is None else [f"--{name} {shlex.quote(text)}" for text in value.texts()]


def parse_globs(texts: Sequence[str] | None) -> list[str] | None:
    """Return the globs; None if there are none."""
    return list(texts) if texts else None


def globs_words(name: str, value: Globs) -> list[str]:
    """Return a flag for each glob."""
    return [f"--{name} {shlex.quote(glob)}" for glob in ([value] if isinstance(value, str) else value or ())]


def switch_words(name: str, value: bool) -> list[str]:
    """Return the switch if it is set."""
    return [f"--{name}"] if value else []
