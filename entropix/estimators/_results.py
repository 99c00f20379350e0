"""Results of the estimators: the number, how far to trust it, and what the data suffered from.

A sample (n, d) has one result, a batch (b, n, d) a list of them. The type of an array or tensor says nothing of how
many axes it has, so overloads can't tell the two apart, and a union would ask for an isinstance check after every call:
type checkers see `EntropyOrBatch` and its like, which have the attributes of a result and of a list of results. At
runtime it is one or the other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import exp, log
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from torch import Tensor

from entropix.estimators._dependent_rows import serial_dependence, variance_of_mean
from entropix.estimators._inputs import Samples


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error and 95 % interval; ``float(result)`` is the number alone.

    Attributes:
        value: The estimate: a float, or a 0-d tensor with a gradient when the input required one and the method is
            differentiable.
        stderr: Standard error, in the unit of the value; it leaves out bias.
        ci: Ends of the 95 % interval.
        k: Neighbours that were used.
        n: Rows that came in.
        n_distinct: Rows that were left after duplicates were merged.
        n_merged: Duplicates that were merged into others.
        method: Method that was used, with the map that it chose in brackets if it chose one.
        warnings: The messages of the warnings that were issued.
        local: On request, one contribution per row (n,), in the caller's kind of array; else None. Their mean over
            distinct rows is the value, but for intrinsic dimension.
    """

    value: float | Tensor
    stderr: float
    ci: tuple[float, float]
    k: int
    n: int
    n_distinct: int
    n_merged: int
    method: str
    warnings: tuple[str, ...] = field(default=(), kw_only=True)
    local: NDArray[Any] | Tensor | None = field(default=None, kw_only=True, repr=False, compare=False)

    def __float__(self) -> float:
        return float(self.value)

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as plain numbers, strings and lists, ready for JSON; `local` is left out."""
        fields = {name: value for name, value in asdict(self).items() if name != "local"}
        return fields | {"value": float(self), "ci": list(self.ci), "warnings": list(self.warnings)}

    def _unit(self) -> str:
        return ""

    def _details(self) -> str:
        return ""

    def __repr__(self) -> str:
        merged = f", {self.n_merged} duplicates merged" if self.n_merged else ""
        noted = f", {len(self.warnings)} warning{'s' * (len(self.warnings) > 1)}" if self.warnings else ""
        low, high = self.ci
        return (
            f"{type(self).__name__}({float(self):.4g}{self._unit()} +- {self.stderr:.2g}, 95 % [{low:.4g}, "
            f"{high:.4g}], {self.method}{self._details()}, k={self.k}, n={self.n}{merged}{noted})"
        )


@dataclass(frozen=True, repr=False)
class Information(Estimate):
    """Mutual information, total correlation or divergence, as an `Estimate`.

    Attributes:
        base: Base of the logarithm that gives the unit; None: nats.
        p_value: Share of permutations with as much information, if they were asked for; else None.
    """

    base: float | None = None
    p_value: float | None = None

    @property
    def correlation(self) -> float:
        """The correlation of two normals with this much mutual information (Linfoot 1957), 0 for a negative value."""
        nats = float(self) * (1.0 if self.base is None else log(self.base))
        return float((1 - exp(-2 * max(nats, 0.0))) ** 0.5)

    def _unit(self) -> str:
        return _unit(self.base)

    def _details(self) -> str:
        return "" if self.p_value is None else f", p={self.p_value:.2g}"


@dataclass(frozen=True, repr=False)
class Entropy(Estimate):
    """Differential entropy, as an `Estimate`.

    Attributes:
        dimension: The d, or the intrinsic m, possibly fractional, with respect to whose volume the entropy is meant.
            Entropies with different dimensions don't compare.
        base: Base of the logarithm that gives the unit; None: nats.
    """

    dimension: float = 0.0
    base: float | None = None

    def _unit(self) -> str:
        return _unit(self.base)

    def _details(self) -> str:
        return f", dimension={self.dimension:.4g}"


@dataclass(frozen=True, repr=False)
class IntrinsicDimension(Estimate):
    """Intrinsic dimension, as an `Estimate`.

    Attributes:
        raw: The value before the correction for finite samples.
        corrected: Whether `value` is corrected.
        scan: Value and standard error at each scale that was asked for, {neighbours: (value, stderr)}.
    """

    value: float
    raw: float = 0.0
    corrected: bool = True
    scan: dict[int, tuple[float, float]] = field(default_factory=dict)


if TYPE_CHECKING:

    class EntropyOrBatch(Entropy, list[Entropy]):
        """Stands for an `Entropy`, or for a list of them if the input was a batch."""

    class InformationOrBatch(Information, list[Information]):
        """Stands for an `Information`, or for a list of them if the input was a batch."""

    class IntrinsicDimensionOrBatch(IntrinsicDimension, list[IntrinsicDimension]):
        """Stands for an `IntrinsicDimension`, or for a list of them if the input was a batch."""

else:
    EntropyOrBatch = Entropy | list[Entropy]
    InformationOrBatch = Information | list[Information]
    IntrinsicDimensionOrBatch = IntrinsicDimension | list[IntrinsicDimension]


def averaged(
    points: Tensor,
    group: Tensor,
    samples: Samples,
    base: float | None,
    local: bool,
    *,
    noise: float = 0.0,
    model_stderr: float = 0.0,
    clusters: Tensor | None = None,
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the fields of an estimate that is the mean of contributions of the distinct rows.

    Args:
        points: Contributions (n_distinct,) in nats.
        group: Position (n,) among the distinct rows of the one that stands for each row.
        samples: The input, which says in what kind local values go back.
        base: Base of the logarithm; None: nats.
        local: Also return the contribution of each row.
        noise: n_distinct times the variance of the mean that the spread of the contributions doesn't show.
        model_stderr: Standard error in nats that an estimated parameter adds.
        clusters: Number (n_distinct,) of the patient, series or subject that each distinct row belongs to; None: rows
            are taken as independent, and a warning says if they visibly are not.
        notes: Warnings that were issued.
    """
    unit = 1.0 if base is None else log(base)
    value = points.mean() / unit
    centre = float(value.detach())
    variance, reach = variance_of_mean(points.detach(), clusters)
    if clusters is None:
        notes += serial_dependence(points)
    stderr = max(variance + noise / len(points) + model_stderr**2, 0.0) ** 0.5 / abs(unit)
    return {
        "value": value.to(samples.x.dtype) if value.requires_grad else centre,
        "stderr": stderr,
        "ci": (centre - reach * stderr, centre + reach * stderr),
        "n": len(group),
        "n_distinct": len(points),
        "n_merged": len(group) - len(points),
        "base": base,
        "local": samples.give_back(points[group] / unit) if local else None,
        "warnings": tuple(dict.fromkeys(notes)),
    }


def _unit(base: float | None) -> str:
    return " nats" if base is None else " bits" if base == 2 else f" (base {base:g})"
