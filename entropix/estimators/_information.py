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

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from entropix.estimators._controlled import controlled
from entropix.estimators._dependent_rows import as_groups
from entropix.estimators._duplicates import cells_of, find_duplicates, spread_over_cells, tied_columns
from entropix.estimators._inputs import Samples, as_samples, check_base, check_method, check_neighbours, tell
from entropix.estimators._kozachenko_leonenko import averaging_noise
from entropix.estimators._ksg import frenzel_pompe, ksg1, ksg2, mixed
from entropix.estimators._labels import as_labels, label_information
from entropix.estimators._permutation import Shuffle, permutation_p_value
from entropix.estimators._results import Information, InformationOrBatch, averaged

InformationMethod = Literal["auto", "ksg1", "ksg2", "mixed"]
"""Methods of `mutual_information`, which describes them."""

Formula = Callable[[list[Tensor], int], Tensor]
"""A formula of `_ksg`: contributions (n,) in nats, from blocks of variables (n, p_j) and k."""

MANY_DIMENSIONS = 10
"""Joint dimensions beyond which neighbours see too little: KSG on 5 + 5 normals with 1 nat is about a tenth too low."""


def mutual_information(
    x: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    k: int = 5,
    *,
    method: InformationMethod = "auto",
    base: float | None = None,
    local: bool = False,
    groups: ArrayLike | None = None,
    permutations: int = 0,
    shuffle: Shuffle | None = None,
) -> InformationOrBatch:
    """Estimate the mutual information I(X; Y) of paired samples.

    Methods:

    - "auto" takes "ksg1" and subtracts the error that it makes on samples of a normal or Student t copula with the same
      correlations (a control variate; top of `_controlled`): where the data is like that nothing but noise is left, and
      without dependence next to nothing is subtracted. What another number of neighbours would change is in the
      standard error, with a warning where it is most of it. If x or y is class labels, the estimator is that of Ross
      (2014), of two labels the discrete one; if columns repeat single values between others, "mixed".
    - "ksg1" and "ksg2" are estimators 1 and 2 of Kraskov, Stogbauer and Grassberger (2004, eq. 8 and 9), for
      continuous x and y.
    - "mixed" is the estimator of Gao, Kannan, Oh and Viswanath (2017) for discrete, continuous and mixed variables.
      It takes ties as meant. Discrete variables are given as integers or codes; classes without an order have one
      column per class.

    The value is symmetric in x and y. For independent variables it may be slightly negative, and is not clipped. Pairs
    (x, y) that are duplicates of one another are merged, except with "mixed".

    Args:
        x: Sample (n,) or (n, p), or a batch of them (b, n, p): array, tensor or nested lists.
        y: Sample (n,) or (n, q) or batch (b, n, q), whose rows belong to those of x.
        k: Number of neighbours.
        method: One of the methods above.
        base: Base of the logarithm; None: nats.
        local: Also return the contributions (n,) of the pairs.
        groups: Patient, series or subject (n,) that each row belongs to: rows of one group may depend on one another.
        permutations: Random orders of y for a `p_value` of independence, by the neighbours' part of the estimate; 0:
            none. Of many p-values `scipy.stats.false_discovery_control` says which to believe.
        shuffle: What is exchangeable under independence: "rows"; rows "within" their group; or "between": whole groups,
            which is what None takes if there are groups.

    Returns:
        An `Information`, or a list of them for a batch.

    Raises:
        TypeError: Complex or non-numeric values, boolean ones or text for another method than "auto", or a k that is no
            whole number.
        ValueError: NaN or infinity, too few distinct rows, samples of different length, constant x or y, an unknown
            method, a base that is 1 or not positive, or groups that can't be exchanged.
    """
    check_method(method, get_args(InformationMethod))
    estimators: dict[InformationMethod, Formula | None]
    estimators = {"auto": None, "ksg1": ksg1, "ksg2": ksg2, "mixed": mixed}
    if permutations < 0:
        raise ValueError(f"permutations is {permutations}; expected 0 for none, or a number such as 999")
    test = (permutations, shuffle)
    if method == "auto":
        classes = as_labels(x, "x", k), as_labels(y, "y", k)
        if any(labels is not None for labels in classes):
            return _of_classes(x, y, classes, k, base, local, groups, test)
    return _run({"x": x, "y": y}, k, method, estimators[method], base, local, groups, test=test)


def conditional_mutual_information(
    x: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    z: ArrayLike | Tensor,
    k: int = 5,
    *,
    base: float | None = None,
    local: bool = False,
    groups: ArrayLike | None = None,
) -> InformationOrBatch:
    """Estimate the conditional mutual information I(X; Y | Z) of paired samples (Frenzel and Pompe 2007, eq. 7).

    Args:
        x: Sample (n,) or (n, p), or a batch of them (b, n, p): array, tensor or nested lists.
        y: Sample (n,) or (n, q) or batch (b, n, q), whose rows belong to those of x.
        z: Sample (n,) or (n, r) or batch (b, n, r) of what is known, whose rows belong to those of x.
        k: Number of neighbours.
        base: Base of the logarithm; None: nats.
        local: Also return the contributions (n,) of the rows.
        groups: Patient, series or subject (n,) that each row belongs to: rows of one group may depend on one another.

    Returns:
        An `Information`, or a list of them for a batch.

    Raises:
        TypeError: Complex, boolean or non-numeric values, or a k that is no whole number.
        ValueError: NaN or infinity, too few distinct rows, samples of different length, constant x, y or z, or a base
            that is 1 or not positive.
    """
    return _run({"x": x, "y": y, "z": z}, k, "frenzel-pompe", frenzel_pompe, base, local, groups)


def total_correlation(
    x: ArrayLike | Tensor,
    k: int = 5,
    *,
    base: float | None = None,
    local: bool = False,
    groups: ArrayLike | None = None,
) -> InformationOrBatch:
    """Estimate the total correlation sum_j H(X_j) - H(X) of the columns of a sample.

    The estimate is that of Kraskov, Stogbauer and Grassberger (2004, eq. 23).

    Args:
        x: Sample (n, d) with d of 2 or more, or a batch of them (b, n, d): array, tensor or nested lists.
        k: Number of neighbours.
        base: Base of the logarithm; None: nats.
        local: Also return the contributions (n,) of the rows.
        groups: Patient, series or subject (n,) that each row belongs to: rows of one group may depend on one another.

    Returns:
        An `Information`, or a list of them for a batch.

    Raises:
        TypeError: Complex, boolean or non-numeric values, or a k that is no whole number.
        ValueError: NaN or infinity, too few distinct rows, a single column, a constant one, or a base that
            is 1 or not positive.
    """
    samples = as_samples(x)
    rows = samples.x if samples.batched else samples.x[0]
    columns = {f"column {j}": rows[..., j : j + 1] for j in range(rows.shape[-1])}
    if len(columns) < 2:
        raise ValueError(f"x has {len(columns)} column; total correlation is between two or more")
    return _run(columns, k, "ksg1", ksg1, base, local, groups, numpy=samples.numpy)


def _run(
    inputs: Mapping[str, ArrayLike | Tensor],
    k: int,
    method: str,
    estimator: Formula | None,
    base: float | None,
    local: bool,
    groups: ArrayLike | None,
    *,
    numpy: bool | None = None,
    test: tuple[int, Shuffle | None] = (0, None),
) -> InformationOrBatch:
    check_base(base)
    samples = {name: as_samples(value, name) for name, value in inputs.items()}
    first = next(iter(samples.values()))
    if numpy is not None:
        first = replace(first, numpy=numpy)
    clusters = as_groups(groups, first.x.shape[1], first.x.device)
    for name, sample in samples.items():
        if sample.x.shape[:2] != first.x.shape[:2]:
            raise ValueError(
                f"{name} has {tuple(sample.x.shape[:2])} (batch, samples) but {next(iter(samples))} has "
                f"{tuple(first.x.shape[:2])}; samples are paired"
            )
    results = [
        _one(
            {name: sample.x[b] for name, sample in samples.items()},
            first,
            k,
            method,
            estimator,
            base,
            local,
            clusters,
            test,
        )
        for b in range(len(first.x))
    ]
    tell([note for result in results for note in result.warnings], stacklevel=4)
    return cast(InformationOrBatch, results if first.batched else results[0])


def _one(
    blocks: dict[str, Tensor],
    samples: Samples,
    k: int,
    method: str,
    estimator: Formula | None,
    base: float | None,
    local: bool,
    clusters: Tensor | None,
    test: tuple[int, Shuffle | None],
) -> Information:
    n = len(next(iter(blocks.values())))
    check_neighbours(k, n, distinct=False)
    scaled = [_scaled(name, block) for name, block in blocks.items()]
    every = joint = torch.cat(scaled, -1)
    group = torch.arange(n, device=joint.device)
    notes: tuple[str, ...] = ()
    if estimator is not mixed:
        duplicates = find_duplicates(joint)
        joint = (joint if duplicates.spread is None else duplicates.spread)[duplicates.keep]
        joint, atoms = _without_ties(joint, k)
        if atoms and estimator is None:
            joint, estimator, method, notes = every, mixed, "mixed", (f"{atoms}: 'mixed' was used",)
        else:
            group, notes = duplicates.group, duplicates.warnings + ((atoms,) if atoms else ())
            clusters = None if clusters is None else clusters[duplicates.keep]
        scaled = list(torch.split(joint, [block.shape[1] for block in scaled], -1))
    check_neighbours(k, len(joint))
    if joint.shape[1] > MANY_DIMENSIONS:
        notes += (
            f"{joint.shape[1]} joint dimensions are too many for nearest neighbours to see all dependence: "
            + ("what columns' correlations don't show" if estimator is None else "part of it")
            + " is likely missed, and the value too low; reduce the dimension first",
        )
    noise, model_stderr = averaging_noise(k), 0.0
    if estimator is not None:
        points = estimator(scaled, k)
    elif (found := controlled(scaled, k)) is not None:
        points = found.points
        noise = len(joint) * found.variance - float(points.var())
        model_stderr = found.left.possible(float(points.mean()), found.variance**0.5)
        notes += found.left.notes(found.variance**0.5, found.left.share)
    else:
        points = ksg1(scaled, k)
        notes += (
            f"columns of x and y determine one another, or {len(joint)} rows are too few for {joint.shape[1]} joint "
            "dimensions: the value is what neighbours see, and likely too low",
        )
    return Information(
        **averaged(
            points,
            group,
            samples,
            base,
            local,
            noise=noise,
            model_stderr=model_stderr,
            clusters=clusters,
            notes=notes,
        ),
        k=k,
        method=method,
        p_value=_p_value(estimator or ksg1, scaled, k, clusters, test),
    )


def _p_value(
    formula: Formula, blocks: list[Tensor], k: int, clusters: Tensor | None, test: tuple[int, Shuffle | None]
) -> float | None:
    permutations, shuffle = test
    if not permutations:
        return None
    x, y = blocks

    def statistic(order: Tensor) -> float:
        return float(formula([x, y[order.to(y.device)].contiguous()], k).mean())

    return permutation_p_value(statistic, len(x), permutations, clusters, shuffle)


def _of_classes(
    x: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    classes: tuple[Tensor | None, Tensor | None],
    k: int,
    base: float | None,
    local: bool,
    groups: ArrayLike | None,
    test: tuple[int, Shuffle | None],
) -> InformationOrBatch:
    """Estimate the information of class labels with whatever the other side is."""
    check_base(base)
    values, labels = (y, classes[0]) if classes[1] is None else (x, classes[1])
    other = classes[0] if values is x else classes[1]
    name = "x" if values is x else "y"
    assert labels is not None
    samples = as_samples(np.zeros(len(labels)) if other is not None else values, name)
    if samples.batched or samples.x.shape[1] != len(labels):
        raise ValueError(f"{name} has {tuple(samples.x.shape[:2])} (batch, samples) but there are {len(labels)} labels")
    block = _scaled(name, samples.x[0]) if other is None else other
    labels = labels.to(block.device)
    check_neighbours(k, len(labels), distinct=False)
    clusters = as_groups(groups, len(labels), block.device)
    points, notes = label_information(block, labels, k)

    def formula(blocks: list[Tensor], k: int) -> Tensor:
        return label_information(blocks[0], blocks[1], k)[0]

    result = Information(
        **averaged(
            points,
            torch.arange(len(labels), device=block.device),
            samples,
            base,
            local,
            noise=averaging_noise(k) if other is None else 0.0,
            clusters=clusters,
            notes=notes,
        ),
        k=k,
        method="ross" if other is None else "miller-madow",
        p_value=_p_value(formula, [block, labels], k, clusters, test),
    )
    tell(list(result.warnings), stacklevel=4)
    return cast(InformationOrBatch, result)


def _scaled(name: str, block: Tensor) -> Tensor:
    """Return a block (n, p) with columns of mean 0 and variance 1, constant ones as zeros."""
    block = block.detach().double()
    largest = block.abs().amax(0)  # squares of 1e200 have no double, and those of 1e-200 are zero
    block = block / torch.where(largest > 0, largest, 1.0)
    spread = block.std(0)
    varying = spread > torch.finfo(torch.float64).eps * block.abs().amax(0)
    if not bool(varying.any()):
        raise ValueError(f"{name} is constant; it shares no information with anything")
    return torch.where(varying, (block - block.mean(0)) / torch.where(varying, spread, 1.0), 0.0)


def _without_ties(joint: Tensor, k: int) -> tuple[Tensor, str]:
    """Spread quantised columns over their lattice cells, which leaves information as it is.

    Returns:
        The columns, and a message if some repeat single values between others that are not quantised.
    """
    tied = tied_columns(joint, k) & (joint != joint[0]).any(0)
    if not bool(tied.any()):
        return joint, ""
    if (cells := cells_of(joint[:, tied])) is None:
        return joint, (
            f"{int(tied.sum())} of {joint.shape[1]} columns repeat single values: part of their distribution is "
            "discrete, and neighbours at distance 0 have no density"
        )
    joint = joint.clone()
    joint[:, tied] = spread_over_cells(joint[:, tied], cells)
    return joint, ""
