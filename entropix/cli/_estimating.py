"""Estimate information-theoretic quantities of any sample."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from entropix.cli._application import Json, app, print_json


@app.command(short_help="Estimate entropy and intrinsic dimension of a sample.")
def entropy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".npy, or .csv/.txt with one sample per row.")],
    k: Annotated[int, typer.Option(min=1, help="Neighbours.")] = 5,
    method: Annotated[str, typer.Option(help="auto, or a method of entropix.entropy.")] = "auto",
    base: Annotated[float | None, typer.Option(help="Base of the logarithm; default: nats.")] = None,
    groups: Annotated[
        Path | None, typer.Option(help="Patient or series of each row, one a line (.txt, .csv) or .npy.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Estimate the differential entropy and intrinsic dimension of the samples (rows) in FILE."""
    from entropix import estimators
    from entropix.data import DataError

    samples = _load_samples(file)
    if samples.ndim > 2:
        raise DataError(f"{file} holds an array of shape {samples.shape}; expected samples (n,) or (n, d)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", estimators.EstimatorWarning)  # printed with the results
        labels = None if groups is None else _load_labels(groups)
        h = estimators.entropy(samples, k, method=cast(Any, method), base=base, groups=labels)  # checked there
        m = estimators.intrinsic_dimension(samples, groups=labels)
    if as_json:
        print_json({"file": str(file), "entropy": h.to_dict(), "intrinsic_dimension": m.to_dict()})
        return
    print(h)
    print(m)
    for note in dict.fromkeys(h.warnings + m.warnings):
        print(f"warning: {note}", file=sys.stderr)


def _load_labels(file: Path) -> Any:
    """Read a label (n,) of each row."""
    from entropix._utils import read_text

    if file.suffix == ".npy":
        return _load_samples(file)
    _check_file(file)
    return read_text(file).splitlines()


def _check_file(file: Path) -> None:
    from entropix.data import DataError

    if not file.is_file():
        raise DataError(f"{file}: no such file")


def _load_samples(file: Path) -> Any:
    import numpy as np

    from entropix._utils import read_text
    from entropix.data import DataError

    _check_file(file)
    try:
        if file.suffix == ".npy":
            return np.load(file, allow_pickle=False)
        lines = read_text(file).splitlines()
        separator = next((one for one in ",;" if one in lines[0]), ",") if file.suffix == ".csv" and lines else None
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of a file without numbers
            return np.loadtxt(lines, delimiter=separator, ndmin=1)
    except DataError:
        raise
    except (ValueError, EOFError, UserWarning) as error:
        told = str(error).splitlines()[0][:200]
        raise DataError(
            f"{file} cannot be read as an array of numbers: {told}; expected rows of numbers alone"
        ) from None
