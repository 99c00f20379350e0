"""Mutual information, plain and conditional, and total correlation, from nearest neighbours in the joint space.

All follow Kraskov, Stogbauer and Grassberger (2004): distances are taken as the largest over the blocks of variables,
the distance to the k-th neighbour in the joint space is carried into each block, and the neighbours within it are
counted there. The block entropies' biases then cancel to first order, which separate entropy estimates do not do.

Invariant under any rescaling, rotation or translation that acts on x, or y, alone only in the limit of many samples: in
a finite sample the units of x and y decide whose distances count, so columns are scaled to unit variance first.
Nearest neighbours see dependence down to a scale of n^(-1/d): in more than about ten joint dimensions the estimate is
far too low (16 + 16 normal, n = 5,000: 0.7 instead of 2.3 nats), and a warning says so.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from entropix.estimators._duplicates import find_duplicates
from entropix.estimators._inputs import Samples, as_samples, check_base, check_method, check_neighbours, tell
from entropix.estimators._kozachenko_leonenko import averaging_noise
from entropix.estimators._ksg import CONTROL_SAMPLES, controlled, frenzel_pompe, ksg1, ksg2, mixed
from entropix.estimators._results import Information, averaged

MANY_DIMENSIONS = 10
"""Joint dimensions beyond which neighbours see too little: KSG on 5 + 5 normals with 1 nat is about a tenth too low."""


def mutual_information(
    x: Any, y: Any, k: int = 5, *, method: str = "auto", base: float | None = None, local: bool = False
) -> Any:
    """I(X; Y) of paired samples x (n, p) and y (n, q), or (b, n, p) and (b, n, q): an `Information`, a list for a
    batch.

    method: "ksg1" and "ksg2" are estimators 1 and 2 of Kraskov et al. (2004, eq. 8 and 9), for continuous x and y.
    "auto" whitens x and y each for itself, takes estimator 1, and subtracts the error that it makes on a simulated
    normal sample of the same n and correlations (a control variate): on normal data nothing but noise is left, and
    without correlation next to nothing is subtracted. "mixed" is Gao, Kannan, Oh and Viswanath (2017): discrete,
    continuous and mixed variables, ties being meant (integers or codes as values; for classes without order use
    one column per class). base: of the logarithm (None: nats). local: also the (n,) contributions.

    The value may be slightly negative for independent variables, and is not clipped. Symmetric in x and y. Pairs that
    are duplicates of one another are merged, except with "mixed". Raises TypeError and ValueError as `entropy` does, and
    ValueError for samples of different length, constant x or y, or an unknown method.
    """
    estimators = {"auto": controlled, "ksg1": ksg1, "ksg2": ksg2, "mixed": mixed}
    check_method(method, estimators)
    estimator = estimators[method]
    return _run({"x": x, "y": y}, k, method, estimator, base, local, merge=method != "mixed")


def conditional_mutual_information(
    x: Any, y: Any, z: Any, k: int = 5, *, base: float | None = None, local: bool = False
) -> Any:
    """I(X; Y | Z) of paired samples (n, p), (n, q), (n, r), or batches of them (Frenzel and Pompe 2007, eq. 7).

    Options, results and errors as in `mutual_information`.
    """
    return _run({"x": x, "y": y, "z": z}, k, "frenzel-pompe", frenzel_pompe, base, local)


def total_correlation(x: Any, k: int = 5, *, base: float | None = None, local: bool = False) -> Any:
    """sum_j H(X_j) - H(X) of the columns of x (n, d), or (b, n, d) (Kraskov et al. 2004, eq. 23).

    Options, results and errors as in `mutual_information`.
    """
    samples = as_samples(x)
    x = samples.x if samples.batched else samples.x[0]
    columns = {f"column {j}": x[..., j : j + 1] for j in range(x.shape[-1])}
    if len(columns) < 2:
        raise ValueError(f"x has {len(columns)} column; total correlation is between two or more")
    return _run(columns, k, "ksg1", ksg1, base, local)


def _run(
    inputs: dict[str, Any],
    k: int,
    method: str,
    estimator: Any,
    base: float | None,
    local: bool,
    *,
    merge: bool = True,
) -> Any:
    check_base(base)
    samples = {name: as_samples(value, name) for name, value in inputs.items()}
    first = next(iter(samples.values()))
    for name, sample in samples.items():
        if sample.x.shape[:2] != first.x.shape[:2]:
            raise ValueError(
                f"{name} has {tuple(sample.x.shape[:2])} (batch, samples) but {next(iter(samples))} has "
                f"{tuple(first.x.shape[:2])}; samples are paired"
            )
    results = [
        _one({name: sample.x[b] for name, sample in samples.items()}, first, k, method, estimator, base, local, merge)
        for b in range(len(first.x))
    ]
    tell([note for result in results for note in result.warnings], stacklevel=4)
    return results if first.batched else results[0]


def _one(
    blocks: dict[str, Tensor],
    samples: Samples,
    k: int,
    method: str,
    estimator: Any,
    base: float | None,
    local: bool,
    merge: bool,
) -> Information:
    n = len(next(iter(blocks.values())))
    check_neighbours(k, n, distinct=False)
    scaled = []
    for name, block in blocks.items():
        block = block.detach().double()
        spread = block.std(0)
        if not bool((spread > 0).any()):
            raise ValueError(f"{name} is constant; it shares no information with anything")
        scaled.append((block - block.mean(0)) / torch.where(spread > 0, spread, 1.0))
    joint = torch.cat(scaled, -1)
    group = torch.arange(n, device=joint.device)
    notes: tuple[str, ...] = ()
    if merge:
        duplicates = find_duplicates(joint)
        joint = (joint if duplicates.spread is None else duplicates.spread)[duplicates.keep]
        group, notes = duplicates.group, duplicates.warnings
        scaled = list(joint.split([block.shape[1] for block in scaled], -1))
    check_neighbours(k, len(joint))
    if joint.shape[1] > MANY_DIMENSIONS:
        notes += (
            f"{joint.shape[1]} joint dimensions are too many for nearest neighbours to see all dependence: the "
            "value is likely too low; reduce the dimension first",
        )
    points, noise = estimator(scaled, k), averaging_noise(k)
    if estimator is controlled:
        noise += (float(points.var()) + noise) / CONTROL_SAMPLES
    return Information(
        **averaged(points, group, samples, base, local, noise=noise),
        k=k,
        method=method,
        warnings=notes,
    )
