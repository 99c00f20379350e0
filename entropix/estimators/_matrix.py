"""Information of many variables at once: between all pairs of columns, and of every column with a target."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entropix.estimators._information import mutual_information
from entropix.estimators._inputs import tell, unmasked
from entropix.exceptions import EstimatorWarning


class InformationMatrix(NamedTuple):
    """Mutual information of all pairs of columns: data frames (d, d) if the input was one, else arrays.

    Attributes:
        value: Information; infinite on the diagonal.
        stderr: Standard errors; 0 on the diagonal.
        p_value: Permutation p-values, adjusted for their number (Benjamini and Hochberg 1995), or None.
    """

    value: Any
    stderr: Any
    p_value: Any = None


def mutual_information_matrix(
    frame: Any, k: int = 5, *, base: float | None = None, groups: ArrayLike | None = None, permutations: int = 0
) -> InformationMatrix:
    """Estimate the mutual information of all pairs of columns, each as `mutual_information` does.

    Columns of bool, text or categories are class labels. Each warning is issued once, whatever the number of pairs.

    Args:
        frame: Table (n, d): a data frame, or an array.
        k: Number of neighbours.
        base: Base of the logarithm; None: nats.
        groups: Patient, series or subject (n,) that each row belongs to.
        permutations: Random orders for the p-values; 0: none are computed.

    Returns:
        An `InformationMatrix`.

    Raises:
        TypeError, ValueError: As `mutual_information`, or a table with fewer than two columns.
    """
    names = list(frame.columns) if hasattr(frame, "columns") else None
    table = frame if names is not None else unmasked(frame, "frame")
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"frame has shape {table.shape}; expected (n, d) with two or more columns")
    d = table.shape[1]
    columns = [frame.iloc[:, j] if names is not None else table[:, j] for j in range(d)]
    value, stderr, p_value = np.full((d, d), np.inf), np.zeros((d, d)), np.zeros((d, d))
    notes: list[str] = []
    pairs = list(combinations(range(d), 2))
    for i, j in pairs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimatorWarning)
            found = mutual_information(columns[i], columns[j], k, base=base, groups=groups, permutations=permutations)
        value[i, j] = value[j, i] = float(found)
        stderr[i, j] = stderr[j, i] = found.stderr
        p_value[i, j] = p_value[j, i] = np.nan if found.p_value is None else found.p_value
        notes += found.warnings
    tell(notes)
    tables = [value, stderr]
    if permutations:
        from scipy.stats import false_discovery_control

        rows, cols = np.triu_indices(d, 1)
        p_value[rows, cols] = p_value[cols, rows] = false_discovery_control(p_value[rows, cols])
        tables.append(p_value)
    if names is not None:
        tables = [type(frame)(table, index=names, columns=names) for table in tables]
    return InformationMatrix(*tables)


def information_scores(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Return the mutual information (d,) of each column of x (n, d) with y (n,), for scikit-learn's `SelectKBest`.

    A y of bool, text, or integers of which many rows share each is class labels.
    """
    table = unmasked(x, "x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimatorWarning)  # one for each column would drown what matters
        return np.array([float(mutual_information(column, y)) for column in table.T])
