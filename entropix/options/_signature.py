"""A function that takes options has their names, defaults, types and documentation, without repeating them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, cleandoc, signature
from typing import Any, ParamSpec, Protocol, TypeVar, cast

NO_LABELS = "a fit needs no labels: give it normal inputs alone"
ELSEWHERE = {
    "y": NO_LABELS,
    "labels": NO_LABELS,
    "contamination": "a fit takes normal inputs alone, and assumes no share of anomalies among them; alpha= is the "
    "false-positive rate of its decisions",
}
"""What other libraries ask for, and what stands for it here."""

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class OfDataset(Protocol[P, R_co]):
    """A function of a data set and options."""

    def __call__(self, dataset: Any, *arguments: P.args, **keywords: P.kwargs) -> R_co: ...


def takes_options(options: Callable[P, Any]) -> Callable[[Callable[..., R]], OfDataset[P, R]]:
    """Give a function of a data set and keywords the signature and the documented arguments of `options`."""

    def decorate(function: Callable[..., R]) -> OfDataset[P, R]:
        @wraps(function)
        def call(*arguments: Any, **keywords: Any) -> R:
            try:
                bound = call.__signature__.bind(*arguments, **keywords)  # type: ignore[attr-defined]
            except TypeError as error:
                raise _told(function.__name__, error, keywords) from None
            return function(*bound.args, **bound.kwargs)

        first = Parameter("dataset", Parameter.POSITIONAL_OR_KEYWORD)
        own = signature(function)
        more = signature(options).parameters.values()
        call.__signature__ = own.replace(parameters=[first, *more])  # type: ignore[attr-defined]
        about = cleandoc(options.__doc__ or "").partition("Args:\n")[2].partition("\n\nRaises:")[0]
        call.__doc__ = cleandoc(function.__doc__ or "").replace("    **options: see `FitOptions`.", about)
        return cast(OfDataset[P, R], call)

    return decorate


def with_hints(init: Callable[P, None]) -> Callable[P, None]:
    """Let a constructor say of an argument that other libraries have what stands for it here; its signature stays."""

    @wraps(init)
    def call(*arguments: P.args, **keywords: P.kwargs) -> None:
        try:
            signature(init).bind(*arguments, **keywords)
        except TypeError as error:
            raise _told(init.__qualname__.partition(".")[0], error, keywords) from None
        init(*arguments, **keywords)

    return call


def _told(name: str, error: TypeError, keywords: Mapping[str, Any]) -> TypeError:
    """Return an error about arguments under the name of what was called, with a hint where there is one."""
    hints = [hint for word, hint in ELSEWHERE.items() if word in keywords]
    return TypeError("; ".join([f"{name}() {error}", *hints[:1]]))
