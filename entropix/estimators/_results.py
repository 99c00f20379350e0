"""What the estimators return: the number, how far to trust it, and what the data suffered from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import log
from typing import Any

from torch import Tensor

from entropix.estimators._inputs import Samples


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error and 95 % interval.

    value is a float, or a 0-d tensor with a gradient when the input required one and the method is
    differentiable. n counts the rows that came in, n_distinct those left after n_merged duplicates were merged.
    warnings repeats what was issued. local holds one contribution per input row on request; its mean over
    distinct rows is the value.
    """

    value: Any
    stderr: float
    ci: tuple[float, float]
    k: int
    n: int
    n_distinct: int
    n_merged: int
    method: str
    warnings: tuple[str, ...] = field(default=(), kw_only=True)
    local: Any = field(default=None, kw_only=True, repr=False, compare=False)

    def __float__(self) -> float:
        return float(self.value)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, ready for JSON; local values are left out."""
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
    """Mutual information, total correlation or divergence; in nats unless ``base`` says otherwise."""

    base: float | None = None

    def _unit(self) -> str:
        return _unit(self.base)


@dataclass(frozen=True, repr=False)
class Entropy(Estimate):
    """Differential entropy; in nats unless ``base`` says otherwise.

    dimension is the d (or the intrinsic m, possibly fractional) with respect to whose volume the entropy is
    meant: entropies with different dimensions don't compare.
    """

    dimension: float = 0.0
    base: float | None = None

    def _unit(self) -> str:
        return _unit(self.base)

    def _details(self) -> str:
        return f", dimension={self.dimension:.4g}"


@dataclass(frozen=True, repr=False)
class IntrinsicDimension(Estimate):
    """Intrinsic dimension. raw: before the finite-sample correction. scan: {neighbours: (value, stderr)}."""

    raw: float = 0.0
    corrected: bool = True
    scan: dict[int, tuple[float, float]] = field(default_factory=dict)


def averaged(
    points: Tensor,
    group: Tensor,
    samples: Samples,
    base: float | None,
    local: bool,
    *,
    noise: float = 0.0,
    model_stderr: float = 0.0,
) -> dict[str, Any]:
    """The fields of an estimate that is the mean of contributions (n_distinct,) in nats of the distinct rows.

    group: (n,) distinct row of each row. noise: n_distinct times the variance of the mean that the spread of the
    contributions does not show. model_stderr: what an estimated parameter adds.
    """
    unit = 1.0 if base is None else log(base)
    value = points.mean() / unit
    centre = float(value.detach())
    variance = (float(points.detach().var()) + noise) / len(points) + model_stderr**2
    stderr = variance**0.5 / abs(unit)
    return {
        "value": value.to(samples.x.dtype) if value.requires_grad else centre,
        "stderr": stderr,
        "ci": (centre - 1.96 * stderr, centre + 1.96 * stderr),
        "n": len(group),
        "n_distinct": len(points),
        "n_merged": len(group) - len(points),
        "base": base,
        "local": samples.give_back(points[group] / unit) if local else None,
    }


def _unit(base: float | None) -> str:
    return " nats" if base is None else " bits" if base == 2 else f" (base {base:g})"
