"""A function that takes options has their names, defaults, types and documentation, without repeating them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, cleandoc, signature
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def takes_options(options: Callable[P, Any]) -> Callable[[Callable[..., R]], Callable[Concatenate[Any, P], R]]:
    """Give a function of a data set and keywords the signature and the documented arguments of `options`."""

    def decorate(function: Callable[..., R]) -> Callable[Concatenate[Any, P], R]:
        @wraps(function)
        def call(dataset: Any, *arguments: Any, **keywords: Any) -> R:
            return function(dataset, *arguments, **keywords)

        first = Parameter("dataset", Parameter.POSITIONAL_OR_KEYWORD)
        own = signature(function)
        more = signature(options).parameters.values()
        call.__signature__ = own.replace(parameters=[first, *more])  # type: ignore[attr-defined]
        about = cleandoc(options.__doc__ or "").partition("Args:\n")[2].partition("\n\nRaises:")[0]
        call.__doc__ = cleandoc(function.__doc__ or "").replace("    **options: see `FitOptions`.", about)
        return cast(Callable[Concatenate[Any, P], R], call)

    return decorate
