"""The command line. Results go to standard output, with `--json` as one JSON document; all else to standard error."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    help="Anomaly detection with autoencoders whose latent dimension follows the entropy of normal images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

Data = Annotated[str, typer.Argument(metavar="DATA", help="Folder, image, DICOM, NIfTI, .npy or .npz file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the training images; default: by their number.")]
Size = Annotated[int, typer.Option(help="Images are resized to this many pixels squared, a multiple of 16.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Skip = Annotated[bool, typer.Option("--skip-unreadable", help="Leave out what cannot be read, and list it.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")]


@app.command()
def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    latent_dim: Annotated[str, typer.Option(help="auto, or a number.")] = "auto",
    image_size: Size = 64,
    epochs: Epochs = None,
    seed: int = 0,
    device: Device = "auto",
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Fit a detector to the normal images in DATA and choose its latent dimension."""
    import entropix

    detector = entropix.fit(
        data,
        latent_dim=_latent_dim(latent_dim),
        image_size=image_size,
        epochs=epochs,
        seed=seed,
        device=device,
        out=out,
        skip_unreadable=skip_unreadable,
        overwrite=overwrite,
    )
    result = {
        "model": str(out),
        "latent_dim": detector.latent_dim_,
        "reason": detector.reason_,
        "entropy": None if detector.entropy_ is None else detector.entropy_.to_dict(),
        "curve": detector.curve_,
        "settings": detector.settings_,
    }
    _print_left_out(detector.settings_["unreadable"])
    if as_json:
        _print_json(result)
        return
    print(f"latent dimension {detector.latent_dim_}")
    if detector.entropy_ is not None:
        print(f"because {detector.reason_}")
        print(f"H(X_n) = {detector.entropy_}")
        _print_table(detector.curve_, "Candidates")
    print(f"model written to {out}")


@app.command()
def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="CSV file for the scores.")],
    split: Annotated[str, typer.Option(help="train or test, where DATA has both.")] = "test",
    heatmaps: Annotated[Path | None, typer.Option(help="Folder for a heat map (PNG) of every image.")] = None,
    device: Device = "auto",
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score the images in DATA; prints AUC and AP if DATA says which are abnormal."""
    import entropix
    from entropix import reports
    from entropix.files import check_new_file, check_new_folder

    check_new_file(out, overwrite)
    if heatmaps is not None:
        check_new_folder(heatmaps)
    detector = entropix.load(model, device=device)
    images = detector.read(data, split=split, skip_unreadable=skip_unreadable, progress=True)
    result = reports.score(detector, images)
    reports.write_scores(out, images, result.terms)
    if heatmaps is not None:
        reports.write_heatmaps(heatmaps, detector, images)
    summary = {"model": str(model), "scores": str(out), "n": len(images), "metrics": result.metrics}
    summary["unreadable"] = [list(entry) for entry in images.unreadable]
    _print_left_out(images.unreadable)
    if as_json:
        _print_json(summary)
        return
    for name, values in result.metrics.items():
        print(f"{name}: AUC {values['auc']:.3f}, AP {values['ap']:.3f}")
    print(f"{len(images)} scores written to {out}")


@app.command()
def sweep(
    data: Data,
    out: Annotated[Path, typer.Option(help="New folder for the tables.")],
    dims: Annotated[str, typer.Option(help="Candidates, separated by commas.")] = "1,2,4,8,16,32,64,128",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    image_size: Size = 64,
    epochs: Epochs = None,
    device: Device = "auto",
    skip_unreadable: Skip = False,
    as_json: Json = False,
) -> None:
    """The paper's baseline: train once per latent dimension and seed, score on the labelled test images of DATA."""
    import entropix
    from entropix.files import check_new_folder
    from entropix.sweeping import SweepRow

    check_new_folder(out)

    def report(row: SweepRow) -> None:
        auc = "" if row.auc is None else f", AUC {row.auc:.3f}, AP {row.ap:.3f}"
        print(
            f"d = {row.latent_dim}, seed {row.seed}: training error {row.error_train:.4f}{auc}",
            file=sys.stderr,
        )

    result = entropix.sweep(
        data,
        dims=_integers(dims, "--dims"),
        seeds=_integers(seeds, "--seeds"),
        image_size=image_size,
        epochs=epochs,
        device=device,
        skip_unreadable=skip_unreadable,
        on_row=report,
    )
    result.save(out)
    if as_json:
        _print_json({"sweep": str(out), "table": result.table(), "best": result.best(), "settings": result.settings})
        return
    _print_table(result.table(), "Fixed-d sweep")
    print(f"tables written to {out}")


@app.command()
def entropy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".npy, or .csv/.txt with one sample per row.")],
    k: Annotated[int, typer.Option(min=1, help="Neighbours.")] = 5,
    method: Annotated[str, typer.Option(help="auto, or a method of entropix.entropy.")] = "auto",
    base: Annotated[float | None, typer.Option(help="Base of the logarithm; default: nats.")] = None,
    as_json: Json = False,
) -> None:
    """Differential entropy and intrinsic dimension of the samples (rows) in FILE."""
    from entropix import estimators
    from entropix.data import DataError

    samples = _load_samples(file)
    if samples.ndim > 2:
        raise DataError(f"{file} holds an array of shape {samples.shape}; expected samples (n,) or (n, d)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", estimators.EstimatorWarning)  # printed with the results
        h = estimators.entropy(samples, k, method=method, base=base)
        m = estimators.intrinsic_dimension(samples)
    if as_json:
        _print_json({"file": str(file), "entropy": h.to_dict(), "intrinsic_dimension": m.to_dict()})
        return
    print(h)
    print(m)
    for note in dict.fromkeys(h.warnings + m.warnings):
        print(f"warning: {note}", file=sys.stderr)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("entropix-demo"),
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Simulated images with a known number of factors: fit, choose d, compare with the labelled sweep, draw."""
    from entropix import demo as example

    result = example.run(out, seed=seed, progress=True)
    if as_json:
        _print_json(result)
    else:
        print(example.describe(result))


@app.command()
def info(as_json: Json = False) -> None:
    """Versions, and what the native module can do on this machine."""
    from entropix.device import versions

    result = versions()
    if as_json:
        _print_json(result)
        return
    for name, value in result.items():
        print(f"{name}: {value}")


def main() -> None:
    """Entry point: 0 done, 1 failed with one line on standard error, 2 wrong usage."""
    warnings.showwarning = _show_warning
    try:
        app(standalone_mode=True)
    except (ValueError, TypeError, KeyError, OSError, RuntimeError, FloatingPointError) as error:
        Console(stderr=True).print(f"[red]error:[/red] {_escaped(error)}", highlight=False, soft_wrap=True)
        sys.exit(1)


def _escaped(error: Exception) -> str:
    from rich.markup import escape

    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return escape(str(text) or type(error).__name__)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _latent_dim(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"--latent-dim {text!r}: expected auto or a whole number of at least 1")
    return int(text)


def _integers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r}: expected whole numbers separated by commas") from None


def _load_samples(file: Path) -> Any:
    import numpy as np

    from entropix.data import DataError

    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        if file.suffix == ".npy":
            return np.load(file, allow_pickle=False)
        return np.loadtxt(file, delimiter="," if file.suffix == ".csv" else None, ndmin=1)
    except (ValueError, EOFError) as error:
        raise DataError(f"{file} cannot be read as an array of numbers: {error}") from error


def _print_left_out(unreadable: Iterable[Sequence[str]]) -> None:
    for name, reason in unreadable:
        print(f"left out {name}: {reason}", file=sys.stderr)


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1, allow_nan=False))


def _print_table(rows: list[dict[str, float]], title: str) -> None:
    table = Table(title=title, title_justify="left")
    names = list(rows[0])
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(
            *(str(v) if isinstance(v, int) else f"{v:.4g}" for v in (row.get(n, float("nan")) for n in names))
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)
