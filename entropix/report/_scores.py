"""The scores of a report: of images that it scores itself, or of the table that `entropix score` wrote."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from entropix._utils import quoted, read_table
from entropix.data import DataError
from entropix.scoring import DEFAULT_SCORE, SCORES


@dataclass(frozen=True)
class Scores:
    """Scores of n images.

    Attributes:
        names: name of each image.
        labels: (n,) 0 normal, 1 abnormal, -1 unknown.
        by_name: values (n,) of every score.
    """

    names: list[str]
    labels: np.ndarray
    by_name: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def default(self) -> np.ndarray:
        """Values (n,) of the default score."""
        return self.by_name[DEFAULT_SCORE]

    @property
    def order(self) -> np.ndarray:
        """Indices (n,) of the images, the highest default score first."""
        return np.argsort(-self.default, kind="stable")


def read_scores(path: Path) -> Scores:
    """Read the CSV file that `entropix score` wrote to `path`.

    Raises:
        DataError: another kind of file; the message says which line is wrong.
        OSError: the file cannot be read.
    """
    try:
        rows = read_table(path, ("path", "label", *SCORES))
        columns = {name: [_number(path, row, name, i) for i, row in enumerate(rows)] for name in ("label", *SCORES)}
    except DataError as error:
        raise DataError(f"{error}: this is not what `entropix score` writes; expected its CSV file") from None
    return Scores(
        names=[row["path"] for row in rows],
        labels=np.array(columns.pop("label"), np.int64),
        by_name={name: np.array(values, np.float32) for name, values in columns.items()},
    )


def _number(path: Path, row: dict[str, str], column: str, index: int) -> float:
    """Return a cell as a number: 0, 1 or -1 (unknown) of a label, anything finite of a score."""
    text = row[column]
    try:
        value = float(text or -1) if column == "label" else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (column == "label" and value not in (-1, 0, 1)):
        expected = "0, 1 or nothing" if column == "label" else "a number, such as 0.5"
        raise DataError(f"{path}, row {index + 1}: {column} {quoted(text)}, expected {expected}")
    return value
