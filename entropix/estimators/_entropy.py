"""Differential entropy from nearest neighbours."""

from __future__ import annotations

from math import log
from typing import Literal, NamedTuple, cast, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._dependent_rows import as_groups
from entropix.estimators._dimension import DEFAULT_NEIGHBOURS, from_log_radii
from entropix.estimators._duplicates import cells_of, find_duplicates, spread_over_cells, tied_columns
from entropix.estimators._inputs import (
    Samples,
    as_samples,
    check_base,
    check_dimension,
    check_method,
    check_neighbours,
    tell,
    unit_of,
)
from entropix.estimators._kozachenko_leonenko import LogRadii, averaging_noise, kl_local, log_radii
from entropix.estimators._marginals import quantile_scores
from entropix.estimators._normal_reference import log_unit_ball, normal_bias
from entropix.estimators._results import Entropy, EntropyOrBatch, averaged
from entropix.estimators._structured import structured_local
from entropix.estimators._subspace import (
    constant_columns,
    spanned_dimensions,
    subspace_coordinates,
    whitened_coordinates,
)
from entropix.ops import Metric, Neighbours

EntropyMethod = Literal["auto", "kl", "kl_chebyshev", "manifold", "structured"]
"""Methods of `entropy`, which describes them."""

MANIFOLD_SHARE = 0.7
"""An intrinsic dimension below this share of d means a manifold: the dimension estimate is calibrated to a tenth, and
clusters of full dimension have been seen to lower it to three quarters."""

FEW_ENOUGH = 32
"""Columns up to which a density in all of them is considered beside a manifold: the maps to it take long in more."""

DIMENSION_ROWS = 4_000
"""Rows on which "auto" looks at the intrinsic dimension: they settle it to a few hundredths."""


def entropy(
    x: ArrayLike | Tensor,
    k: int = 5,
    *,
    method: EntropyMethod = "auto",
    base: float | None = None,
    dimension: float | None = None,
    local: bool = False,
    groups: ArrayLike | None = None,
) -> EntropyOrBatch:
    """Estimate the differential entropy of the density that a sample was drawn from.

    Methods:

    - "kl" is the estimator of Kozachenko and Leonenko (1987), for k neighbours as in Kraskov, Stogbauer and
      Grassberger (2004, eq. 20), with euclidean balls. It is right to about 0.1 nats up to d = 8; from 16 on its bias
      grows (normal, n = 2,000: 0.7 nats at 16, 3 at 32, 10 at 64).
    - "kl_chebyshev" is the same with cubes, which other libraries use: for comparison.
    - "structured" maps the sample to independent coordinates, adds their entropies, and lets neighbours see the
      dependence that is left (top of `_structured`). It is accurate in many dimensions if the data is, after one of
      these maps, close to independent: scaling, whitening, independent component analysis, a change of radius, a normal
      mixture. Otherwise it is too high, but less so than "kl". Edges at which a density is infinite are missed in part
      (32 mixed sources, half of them arcsine, n = 2,000: 1.7 nats too high).
    - "manifold" is "kl" with the intrinsic dimension m for d: for data on a curved or flat manifold of dimension m < d,
      images above all. The entropy is with respect to m-dimensional volume in the units of x. m comes from the
      distances to the ten nearest neighbours (`intrinsic_dimension`, "mle").
    - "auto" chooses. Rows that span fewer than d dimensions are first expressed, without distortion, in as many
      coordinates as they span. If the intrinsic dimension, with columns made normal by ranks and then whitened (neither
      of which changes it), is below 0.7 of the number of coordinates by two standard errors, no density in all of them
      is in sight, and "manifold" is used, with the nearest whole m, less the bias that a normal in m dimensions has.
      Otherwise "structured" is: an exact decomposition for any map, in few dimensions as model-free as "kl", in many as
      good as the map that held-out rows choose. "kl" is used if columns repeat single values (zeros of a rectifier,
      say): they then have no density of their own to add up. A manifold that bends within the distance to the
      neighbours looks like a density in more dimensions, whose entropy is then returned: a product of eight circles in
      16 columns, say, at n = 2,000. Compare `dimension` of the result with what is known of the data.

    Duplicates are merged first and quantised data is spread over its lattice (`merge_duplicates` states the policy),
    with a warning. The standard error and the 95 % interval come from the spread of the contributions, plus what the
    overlap of neighbourhoods and an estimated m add; they leave out bias.

    A translation changes nothing, and a factor a adds dimension ln|a|. A rotation changes nothing for "kl" and
    "manifold". The order of rows doesn't matter. "structured" is the exception to all of this: its halves are drawn by
    position and its maps are fitted step by step, so in small samples another order, or rounding, may choose another
    map, whose estimate differs by about its standard error.

    With a tensor that requires a gradient, the value of "kl", "kl_chebyshev" and "manifold" is a 0-d tensor with one
    (m held fixed). The other methods choose a model and are not differentiable.

    Args:
        x: Sample (n,) or (n, d), or a batch of them (b, n, d): array, tensor or nested lists.
        k: Number of neighbours.
        method: One of the methods above.
        base: Base of the logarithm; None: nats.
        dimension: For "manifold", the intrinsic dimension m, which is then not estimated.
        local: Also return the contributions (n,) of the rows: the surprises -ln p(x_i).
        groups: Patient, series or subject (n,) that each row belongs to: rows of one group may depend on one another.

    Returns:
        An `Entropy`, or a list of them for a batch.

    Raises:
        TypeError: Complex, boolean or non-numeric values, or a k that is no whole number.
        ValueError: NaN or infinity, too few distinct rows, an unknown method, a base that is 1 or not positive, a
            dimension that is not positive or not for "manifold", or a gradient asked of "auto" or "structured". Also
            rows that lie in fewer than d dimensions, where the method needs a density in all of them ("kl",
            "kl_chebyshev", "structured"), and columns that repeat single values, for "structured".
    """
    check_method(method, get_args(EntropyMethod))
    check_base(base)
    check_dimension(dimension, method)
    samples = as_samples(x)
    if samples.x.requires_grad and method in ("auto", "structured"):
        raise ValueError(
            f"method {method!r} chooses a model and has no gradient; use 'kl' or 'manifold', or pass x.detach()"
        )
    clusters = as_groups(groups, samples.x.shape[1], samples.x.device)
    results = [_one(row, samples, k, method, base, dimension, local, clusters) for row in samples.x]
    tell([note for result in results for note in result.warnings])
    return cast(EntropyOrBatch, results if samples.batched else results[0])


class Contributions(NamedTuple):
    """An entropy, point by point.

    Attributes:
        points: Contributions (n,), whose mean is the entropy in nats.
        dimension: The d or m with respect to whose volume the entropy is meant.
        method: Method that was used.
        averages: Number of nearest-neighbour averages that each contribution adds up.
        model_stderr: Standard error in nats that an estimated intrinsic dimension adds.
        notes: Warnings to issue.
        explained: Whether no dependence is seen that a map leaves.
    """

    points: Tensor
    dimension: float
    method: str
    averages: int = 1
    model_stderr: float = 0.0
    notes: tuple[str, ...] = ()
    explained: bool = True


def _one(
    x: Tensor,
    samples: Samples,
    k: int,
    method: EntropyMethod,
    base: float | None,
    dimension: float | None,
    local: bool,
    clusters: Tensor | None,
) -> Entropy:
    n = len(x)
    check_neighbours(k, n, distinct=False)
    unit = unit_of(x)
    x = x / unit
    duplicates = find_duplicates(x)
    x = x.double()
    if duplicates.spread is not None:
        x = x + (duplicates.spread - x.detach())
    x = x[duplicates.keep]
    clusters = None if clusters is None else clusters[duplicates.keep]
    check_neighbours(k, len(x))
    if method == "auto":
        found = _auto(x, k, duplicates.neighbours, clusters)
    elif method == "manifold":
        found = _manifold(x, k, dimension, duplicates.neighbours, clusters)
    else:
        found = _full_dimension(x, k, method, duplicates.neighbours)
    return Entropy(
        **averaged(
            found.points + found.dimension * log(unit),
            duplicates.group,
            samples,
            base,
            local,
            noise=found.averages * averaging_noise(k),
            model_stderr=found.model_stderr,
            clusters=clusters,
            notes=duplicates.warnings + found.notes,
        ),
        k=k,
        method=found.method,
        dimension=found.dimension,
    )


def _full_dimension(x: Tensor, k: int, method: EntropyMethod, known: Neighbours | None) -> Contributions:
    n, d = x.shape
    rank = spanned_dimensions(x)
    if rank < d:
        constant = constant_columns(x)
        which = (
            f"{constant} of {d} columns are constant"
            if constant
            else f"{n} distinct rows span {rank} of {d} dimensions"
        )
        raise ValueError(
            f"{which}: there is no density in {d} dimensions for {method!r}; use 'auto' or 'manifold', which take "
            "the entropy on the subspace or manifold that the rows lie on"
        )
    if method == "structured":
        if (found := _structured(x, k)) is not None:
            return found
        raise ValueError(
            f"columns of x repeat single values more than {k} times without being quantised: they have no density of "
            "their own, which 'structured' adds up; use 'kl' or 'manifold'"
        )
    metric: Metric = "chebyshev" if method == "kl_chebyshev" else "euclidean"
    return Contributions(kl_local(log_radii(x, k, metric, known=known).kth, k, d, metric), float(d), method)


def _structured(x: Tensor, k: int) -> Contributions | None:
    """Return None if columns have no density of their own, and it is not for lack of resolution."""
    x = x.double()
    notes: tuple[str, ...] = ()
    tied = tied_columns(x, k)  # rows differ here, but columns are taken alone too
    if bool(tied.any()):
        if (cells := cells_of(x[:, tied])) is None:
            return None
        x = x.clone()
        x[:, tied] = spread_over_cells(x[:, tied], cells)
        notes = (
            f"{int(tied.sum())} of {x.shape[1]} columns are quantised and were spread uniformly over their lattice "
            "cells; the entropy is that of a density constant in each cell",
        )
    found = structured_local(x.cpu().numpy(), k)
    points = torch.as_tensor(found.local, device=x.device)
    return Contributions(
        points,
        float(x.shape[1]),
        f"structured ({found.name})",
        found.averages,
        model_stderr=found.left,
        notes=notes + found.notes,
        explained=found.explained,
    )


def _manifold(
    x: Tensor, k: int, dimension: float | None, known: Neighbours | None, clusters: Tensor | None
) -> Contributions:
    return on_manifold(log_radii(x, k, extra=DEFAULT_NEIGHBOURS["mle"], known=known), k, dimension, clusters)


def on_manifold(radii: LogRadii, k: int, dimension: float | None, clusters: Tensor | None) -> Contributions:
    """Return the contributions on a manifold of a given or estimated dimension.

    Args:
        radii: Logarithms of the distances to the neighbours 1..j; j is at least k, and 10 for an estimated dimension.
        k: Number of neighbours.
        dimension: Intrinsic dimension; None: estimated.
        clusters: Number (n,) of the group of each row; None: rows are independent.
    """
    if dimension is not None:
        return Contributions(kl_local(radii.kth, k, dimension), float(dimension), "manifold")
    if radii.all.shape[1] < 2:
        raise ValueError("two points have no intrinsic dimension; give more samples, or dimension=")
    m, stderr = from_log_radii(radii.all, clusters=clusters)[:2]
    # dH/dm = <ln rho_k> + d ln V_m / dm
    slope = float(radii.all[:, k - 1].mean()) + (log_unit_ball(m * 1.001) - log_unit_ball(m)) / (0.001 * m)
    return Contributions(kl_local(radii.kth, k, m), m, "manifold", model_stderr=abs(slope) * stderr)


def _auto(x: Tensor, k: int, known: Neighbours | None, clusters: Tensor | None) -> Contributions:
    n, d = x.shape
    notes: tuple[str, ...] = ()
    rank = spanned_dimensions(x)
    if rank < d and rank < n - 1:
        x = subspace_coordinates(x, rank)
        notes = (f"the rows of x span {rank} of {d} dimensions; the entropy is that on the subspace they span",)
    thin = rank >= n - 1 or (rank > 1 and _is_thin(x, k, rank))
    radii = log_radii(x, k, extra=DEFAULT_NEIGHBOURS["mle"], known=known) if thin else None
    if rank < n - 1 and (radii is None or rank <= FEW_ENOUGH):
        found = _structured(x, k)
        if found is None and not thin:
            found = _full_dimension(x, k, "kl", known)
            notes += (
                "columns repeat single values between others: part of their distribution is discrete, such a mixture "
                "has no differential entropy, and the value depends on the ties; 'kl' was used",
            )
        # a map that explains all dependence, and more than the nearness of neighbours, leaves no need for a manifold
        if found is not None and (
            radii is None or (found.explained and _lies_below(found.points, kl_local(radii.kth, k, rank)))
        ):
            return found._replace(notes=notes + found.notes)
    if radii is None:
        radii = log_radii(x, k, extra=DEFAULT_NEIGHBOURS["mle"], known=known)
    estimated, stderr = from_log_radii(radii.all, clusters=clusters)[:2]
    m = max(float(np.round(estimated)), 1.0)
    points = _unbiased(radii.kth, k, m)
    wrong = _rounding_error(estimated, stderr)
    model_stderr = wrong * abs(float((_unbiased(radii.kth, k, m + 1) - points).mean())) if wrong > 0.01 else 0.0
    note = (
        f"x has {d} columns but varies in about {m:.0f} dimensions: the entropy is with respect to {m:.0f}-dimensional "
        "volume on a manifold"
    )
    if m > 2 * np.log2(n):
        note += f", which {n} rows do not resolve: the value is not to be trusted"
    return Contributions(points, m, "manifold", model_stderr=model_stderr, notes=(note,))


def _is_thin(x: Tensor, k: int, rank: int) -> bool:
    """Tell whether rows of x (n, rank) lie in clearly fewer dimensions, whatever their columns' distributions."""
    n = len(x)
    some = torch.from_numpy(np.random.default_rng(0).permutation(n)[:DIMENSION_ROWS]).to(x.device)
    rows = torch.from_numpy(quantile_scores(x[some].detach().double().cpu().numpy())).to(x.device)
    if 4 * rank <= len(some):  # with fewer rows whitening would blow up the noise of the covariance
        rows = whitened_coordinates(rows, rank)
    m, stderr = from_log_radii(log_radii(rows, k, extra=DEFAULT_NEIGHBOURS["mle"]).all)[:2]
    return m + 2 * stderr < MANIFOLD_SHARE * rank


def _lies_below(points: Tensor, others: Tensor) -> bool:
    """Tell whether the mean of the one is below that of the other by two standard errors."""
    lead = others.detach() - points.detach()
    return float(lead.mean()) > 2 * float(lead.std()) / len(lead) ** 0.5


def _unbiased(kth: Tensor, k: int, m: float) -> Tensor:
    """Return the contributions (n,) in m dimensions, less the bias of a normal there, from ln rho_k (n,)."""
    return kl_local(kth, k, m) - normal_bias(m, len(kth), k)


def _rounding_error(estimated: float, stderr: float) -> float:
    """Return the root mean square error of the nearest whole dimension.

    The true dimension is taken as normal about the estimate, then rounded.
    """
    from scipy.special import ndtr

    off = np.arange(-9.5, 10)
    share = np.diff(ndtr((round(estimated) + off - estimated) / stderr))
    return float(np.sqrt((share * np.arange(-9, 10) ** 2).sum()))
