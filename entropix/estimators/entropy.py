"""Differential entropy from nearest neighbours."""

from __future__ import annotations

from math import log
from typing import Any

import torch
from torch import Tensor

from entropix.estimators._inputs import Samples, as_samples, check_neighbours, tell
from entropix.estimators.intrinsic_dimension import DEFAULT_NEIGHBOURS, from_log_radii
from entropix.estimators.kozachenko import kl_local, log_radii
from entropix.estimators.reference import log_unit_ball
from entropix.estimators.results import Entropy
from entropix.estimators.twins import find_twins

METHODS = ("auto", "kl", "kl_chebyshev", "manifold")


def entropy(
    x: Any,
    k: int = 5,
    *,
    method: str = "auto",
    base: float | None = None,
    dimension: float | None = None,
    local: bool = False,
) -> Entropy | list[Entropy]:
    """Differential entropy of the density that x is a sample of.

    x: (n,), (n, d) or (b, n, d), NumPy array or tensor; a batch gives a list of results. k: neighbours.
    base: of the logarithm (None: nats). dimension: for "manifold", the intrinsic dimension m instead of an
    estimated one. local: also return the (n,) contributions per row, the surprise -ln p(x_i), in the
    caller's kind.

    method:
      "kl"            Kozachenko-Leonenko with euclidean balls: unbiased to first order up to d of about 8.
      "kl_chebyshev"  the same with cubes, which other libraries use: for comparison.
      "manifold"      the same with the intrinsic dimension m for d: for data on a curved or flat manifold of
                      dimension m < d, images above all. The entropy is with respect to m-dimensional volume
                      in the units of x. m comes from the distances to the ten nearest neighbours
                      (`intrinsic_dimension`, "mle").

    Twins are merged first and quantised data is spread over its lattice (`merge_twins` states the policy),
    with a warning. stderr and ci are those of the estimate, from the spread of the contributions.

    With a tensor that requires a gradient, ``value`` is a 0-d tensor with one.

    Raises TypeError for complex, boolean or non-numeric input and an unknown kind of k, and ValueError for
    NaN and infinity, too few distinct rows, an unknown method, and, where the method needs a density in all
    d dimensions, for rows that lie in fewer.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; expected one of {', '.join(METHODS)}")
    if base is not None and not (base > 0 and base != 1):
        raise ValueError(f"base is {base}; expected a positive number other than 1, or None for nats")
    if dimension is not None and (method != "manifold" or dimension <= 0):
        raise ValueError(
            f"dimension = {dimension} with method {method!r}: it sets a positive m for method='manifold'"
        )
    samples = as_samples(x)
    results = [_one(row, samples, k, method, base, dimension, local) for row in samples.x]
    tell([note for result in results for note in result.warnings])
    return results if samples.batched else results[0]


def _one(
    x: Tensor, samples: Samples, k: int, method: str, base: float | None, dimension: float | None, local: bool
) -> Entropy:
    n, d = x.shape
    check_neighbours(k, n, distinct=False)
    twins = find_twins(x)
    notes = list(twins.warnings)
    if twins.spread is not None:
        x = x + (twins.spread - x.detach())
    x = x[twins.keep]
    check_neighbours(k, len(x))
    if method == "auto":
        method = "kl"
    if method == "manifold":
        points, m, extra = _manifold(x, k, dimension)
    else:
        _check_rank(x)
        metric = "chebyshev" if method == "kl_chebyshev" else "euclidean"
        points, m, extra = kl_local(log_radii(x, k, metric).kth, k, d, metric), float(d), 0.0
    unit = 1.0 if base is None else log(base)
    value = points.mean() / unit
    stderr = float((points.detach().var() / len(points) + extra**2).sqrt()) / unit
    centre = float(value)
    return Entropy(
        value=value.to(x.dtype) if value.requires_grad else centre,
        stderr=stderr,
        ci=(centre - 1.96 * stderr, centre + 1.96 * stderr),
        k=k,
        n=n,
        n_distinct=len(x),
        n_merged=twins.n_merged,
        method=method,
        dimension=m,
        base=base,
        warnings=tuple(notes),
        local=samples.give_back(points[twins.group] / unit) if local else None,
    )


def _manifold(x: Tensor, k: int, dimension: float | None) -> tuple[Tensor, float, float]:
    """Contributions (n,), the dimension used, and the standard error that its estimation adds."""
    radii = log_radii(x, k, extra=DEFAULT_NEIGHBOURS["mle"])
    if dimension is not None:
        return kl_local(radii.kth, k, dimension), float(dimension), 0.0
    if radii.all.shape[1] < 2:
        raise ValueError("two points have no intrinsic dimension; give more samples, or dimension=")
    m, stderr, _ = from_log_radii(radii.all)
    # dH/dm = <ln rho_k> + d ln V_m / dm
    slope = float(radii.all[:, k - 1].mean()) + (log_unit_ball(m * 1.001) - log_unit_ball(m)) / (0.001 * m)
    return kl_local(radii.kth, k, m), m, abs(slope) * stderr


def _check_rank(x: Tensor) -> None:
    """Raise unless the rows of x span all columns."""
    n, d = x.shape
    centred = x.detach().double() - x.detach().double().mean(0)
    spread = centred.std(0)
    floor = torch.finfo(x.dtype).eps * x.detach().abs().amax(0).double() * 4
    constant = int((spread <= floor).sum())
    if constant:
        raise ValueError(
            f"{constant} of {d} columns are constant: x has no density in {d} dimensions. Drop them, or use "
            "method='manifold'"
        )
    rank = min(n - 1, d)
    if n > d:
        singular = torch.linalg.svdvals(centred / spread)
        rank = int((singular > singular[0] * max(n, d) * torch.finfo(x.dtype).eps).sum())
    if rank < d:
        raise ValueError(
            f"the {n} distinct rows of x span {rank} of {d} dimensions, so x has no density there; use "
            "method='manifold', which estimates the entropy on the subspace or manifold that the rows lie on"
        )
