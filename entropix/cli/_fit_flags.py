"""Flags of `entropix fit` from the options of a fit, so that the two cannot differ."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import Field
from typing import Annotated, Any

import typer

from entropix.exceptions import DataError
from entropix.options import Flag, flags

# Types of options that are those of their flags; the others say theirs (`Flag.type`).
_SIMPLE: dict[str, Any] = {"bool": bool, "float": float, "int": int, "int | None": int | None, "str": str}


def with_fit_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Let `command(options, **own)` take the flags of `FitOptions` too; `options` holds what they were set to."""
    given = {name: _parameter(one, flag) for name, (one, flag) in flags().items()}
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [one.replace(kind=keyword) for one in inspect.signature(command, eval_str=True).parameters.values()][1:]

    def call(**values: Any) -> None:
        options = {name: _parsed(flag, values.pop(name)) for name, (_, flag) in flags().items()}
        command(options, **values)

    required = [one for one in own if one.default is one.empty]
    parameters = [*required, *given.values(), *(one for one in own if one not in required)]
    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in parameters}
    return call


def _parameter(one: Field[Any], flag: Flag) -> inspect.Parameter:
    kind = flag.type or _SIMPLE[str(one.type)]
    names = [f"--{flag.name or one.name.replace('_', '-')}"]  # a switch has no opposite
    default = False if kind is bool else one.default
    option = typer.Option(*names, help=flag.help, min=flag.least)
    return inspect.Parameter(
        one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _parsed(flag: Flag, value: Any) -> Any:
    """The value of an option; `typer.BadParameter` if the flag's value can't be read."""
    try:
        return flag.parse(value)
    except DataError:
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
