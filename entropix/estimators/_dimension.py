"""Intrinsic dimension from ratios of neighbour distances, with the finite-sample error taken out.

In a small enough neighbourhood of an m-dimensional manifold the ratios of successive neighbour distances
depend on m alone. Both methods average their logarithms, 1 / m = mean ln(r_k / r_j): over j = 1, k = 2
(TwoNN) or over all j < k (maximum likelihood). From m of about 10 on a neighbourhood is never small: the
distances of a finite sample concentrate and the ratios suggest too small an m (normal, n = 2,000: 16 gives
14.3, 32 gives 24, 64 gives 38). That shrinkage is computed exactly for the standard normal in m dimensions
and inverted ("corrected"). It is the same to within a tenth for other smooth densities up to m = 16 and a
fifth at 32; `raw` keeps the uncorrected number. A manifold that bends within the distance to the neighbours looks
like more dimensions, and the correction adds to it: products of 8 and 16 circles (n = 2,000) give 9.1 and 24.5
("twonn"), 10.6 and 27 ("mle").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._dependent_rows import as_groups, serial_dependence, variance_of_mean
from entropix.estimators._duplicates import find_duplicates
from entropix.estimators._inputs import Samples, as_samples, check_method, check_neighbours, tell, unit_of
from entropix.estimators._kozachenko_leonenko import log_radii as nearest_log_radii
from entropix.estimators._normal_reference import normal_dimension_curve
from entropix.estimators._results import IntrinsicDimension, IntrinsicDimensionOrBatch

DimensionMethod = Literal["twonn", "mle"]
"""Methods of `intrinsic_dimension`, which describes them."""

SHARED_NEIGHBOURHOODS = 1.5
"""Variance of the mean over points relative to that of independent ones (normals, m = 2..10, k = 2..20: 1.2 to 1.7)."""

DEFAULT_NEIGHBOURS: dict[DimensionMethod, int] = {"twonn": 2, "mle": 10}


def intrinsic_dimension(
    x: ArrayLike | Tensor,
    method: DimensionMethod = "twonn",
    *,
    k: int | None = None,
    scales: Sequence[int] = (),
    corrected: bool = True,
    local: bool = False,
    groups: ArrayLike | None = None,
) -> IntrinsicDimensionOrBatch:
    """Estimate the number of dimensions m in which a sample varies.

    Methods:

    - "twonn" uses the two nearest neighbours, the smallest scale (Facco, d'Errico, Rodriguez and Laio 2017, as maximum
      likelihood: Denti et al. 2022, eq. 10).
    - "mle" uses k neighbours: less noise, a larger scale (Levina and Bickel 2004, averaged as MacKay and Ghahramani
      2005).

    Duplicates are merged first (`merge_duplicates`). The interval is that of the mean over points; it leaves out the
    error of the model behind the correction.

    Args:
        x: Sample (n,) or (n, d), or a batch of them (b, n, d): array, tensor or nested lists.
        method: One of the methods above.
        k: Number of neighbours for "mle"; None: 10.
        scales: Neighbour numbers at which to look for a dependence on scale, such as (2, 4, 8, 16, 32). For each s the
            estimate from r_s / r_(s/2) (Denti et al. 2022) goes into `scan` of the result. A manifold has the same
            value at all scales; noise raises the small ones, curvature and clusters change the large ones.
        corrected: Take out the error of a finite sample (top of `_dimension`).
        local: Also return the uncorrected values (n,) of the rows. With "twonn" each rests on one ratio, so prefer
            "mle" with k of 10 or more.
        groups: Patient, series or subject (n,) that each row belongs to: rows of one group may depend on one another.

    Returns:
        An `IntrinsicDimension`, or a list of them for a batch.

    Raises:
        TypeError: Complex, boolean or non-numeric values, or a k that is no whole number.
        ValueError: NaN or infinity, too few distinct rows, an unknown method, a k below 2 or not 2 for "twonn", a scale
            below 2, groups of another length or fewer than two, or points that lie on a lattice, all neighbours being
            equally far away.
    """
    check_method(method, get_args(DimensionMethod))
    if method == "twonn" and k not in (None, 2):
        raise ValueError(f"method 'twonn' uses two neighbours, not k = {k}; method='mle' takes k")
    k = DEFAULT_NEIGHBOURS[method] if k is None else k
    if k < 2:
        raise ValueError(f"k is {k}; a ratio of distances needs at least 2 neighbours")
    samples = as_samples(x)
    clusters = as_groups(groups, samples.x.shape[1], samples.x.device)
    results = [_one(row, samples, method, k, tuple(scales), corrected, local, clusters) for row in samples.x]
    tell([note for result in results for note in result.warnings])
    return cast(IntrinsicDimensionOrBatch, results if samples.batched else results[0])


def _one(
    x: Tensor,
    samples: Samples,
    method: DimensionMethod,
    k: int,
    scales: tuple[int, ...],
    corrected: bool,
    local: bool,
    clusters: Tensor | None,
) -> IntrinsicDimension:
    n = len(x)
    x = x / unit_of(x)
    duplicates = find_duplicates(x)
    x = (x if duplicates.spread is None else duplicates.spread)[duplicates.keep].detach()
    n_distinct = len(x)
    most = max((k, *scales))
    check_neighbours(most, n_distinct)
    if any(s < 2 for s in scales):
        raise ValueError(f"scales are {scales}; expected neighbour numbers of at least 2")
    log_radii = nearest_log_radii(x, most, known=duplicates.neighbours).all
    clusters = None if clusters is None else clusters[duplicates.keep]
    found = from_log_radii(log_radii[:, :k], corrected=corrected, clusters=clusters)
    value, stderr = found.value, found.stderr
    scan = {}
    for s in scales:
        at_s = from_log_radii(log_radii[:, :s], first=s // 2, only_first=True, corrected=corrected, clusters=clusters)
        scan[s] = (at_s.value, at_s.stderr)
    slopes = _log_ratios(log_radii[:, :k], 1, k - 1)
    notes = [*duplicates.warnings, *(serial_dependence(slopes) if clusters is None else ())]
    if n_distinct < 10 * k:
        notes.append(f"{n_distinct} distinct points are few for a dimension from {k} neighbours")
    if value > 2 * np.log2(n_distinct):
        notes.append(
            f"a dimension of {value:.1f} is beyond what {n_distinct} points resolve (about 2 log2 n = "
            f"{2 * np.log2(n_distinct):.0f}); the value leans on the normal calibration"
        )
    per_point = None
    if local:
        # (k - 2) / (k - 1) makes the inverse of a mean of k - 1 exponentials unbiased; two have no such
        # inverse
        per_point = samples.give_back((max(k - 2, 1) / (k - 1) / slopes)[duplicates.group])
    return IntrinsicDimension(
        value=value,
        stderr=stderr,
        ci=(max(value - found.reach * stderr, 0.0), value + found.reach * stderr),
        k=k,
        n=n,
        n_distinct=n_distinct,
        n_merged=duplicates.n_merged,
        method=method,
        raw=found.raw,
        corrected=corrected,
        scan=scan,
        warnings=tuple(dict.fromkeys(notes)),
        local=per_point,
    )


class RatioEstimate(NamedTuple):
    """A dimension from ratios of neighbour distances.

    Attributes:
        value: Dimension.
        stderr: Its standard error.
        raw: The dimension before the correction.
        reach: Standard errors that an interval of 95 % reaches.
    """

    value: float
    stderr: float
    raw: float
    reach: float


def from_log_radii(
    log_radii: Tensor,
    *,
    first: int = 1,
    only_first: bool = False,
    corrected: bool = True,
    clusters: Tensor | None = None,
) -> RatioEstimate:
    """Estimate the dimension from the logarithms (n, k) of the distances r_1..r_k of n points to their neighbours.

    The mean of ln(r_k / r_j) is taken over j = first..k-1, or, with only_first, over j = first alone; clusters are the
    numbers (n,) of the points' groups.

    Raises:
        ValueError: All neighbours are equally far away.
    """
    from scipy.special import digamma

    n, k = log_radii.shape
    last = first if only_first else k - 1
    slopes = _log_ratios(log_radii, first, last)
    scale = float(digamma(k) - digamma(np.arange(first, last + 1)).mean())
    mean = float(slopes.mean())
    if mean <= 0:
        raise ValueError("all neighbours are equally far away: the points form a lattice, without a dimension")
    raw = scale / mean
    variance, reach = variance_of_mean(slopes, clusters)
    variance += (SHARED_NEIGHBOURHOODS - 1) * float(slopes.var()) / n
    stderr = raw / mean * float(np.sqrt(variance))
    if not corrected:
        return RatioEstimate(raw, stderr, raw, reach)
    true, seen = normal_dimension_curve(n, k, first, last)
    value = float(np.exp(np.interp(np.log(raw), np.log(seen), np.log(true))))
    slope = np.interp(raw * 1.01, seen, true) - np.interp(raw / 1.01, seen, true)
    gain = max(float(slope / (raw * 1.01 - raw / 1.01)), 1.0)
    return RatioEstimate(value, stderr * gain, raw, reach)


def _log_ratios(log_radii: Tensor, first: int, last: int) -> Tensor:
    """Return the means (n,) of ln(r_k / r_j) over j = first..last, from the logarithms (n, k) of r_1..r_k."""
    return log_radii[:, -1] - log_radii[:, first - 1 : last].mean(-1)
