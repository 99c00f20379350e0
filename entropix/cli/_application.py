"""The application, its entry point, and the options and ways of printing that commands share."""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from entropix._version import __version__
from entropix.cli._failures import tell
from entropix.options import flags

TRACEBACK = "--traceback"

app = typer.Typer(
    help="Anomaly detection with autoencoders whose latent dimension follows the entropy of normal images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is half as long, and there in half the time
)


def _show_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
    traceback: Annotated[
        bool, typer.Option(TRACEBACK, help="If the command fails, say where in the program; after the command too.")
    ] = False,
) -> None:
    asked: dict[str, bool] = context.ensure_object(dict)
    asked["traceback"] = traceback


def help_of(option: str) -> str:
    """Return the help of an option of a fit, for commands that share its flag."""
    return flags()[option][1].help


FILES = "PNG, JPEG, TIFF, BMP, DICOM, NIfTI, NRRD, .npy or .npz"
Data = Annotated[str, typer.Argument(metavar="DATA", help=f"Folder or file: {FILES}.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Epochs = Annotated[int | None, typer.Option(min=1, help=help_of("epochs"))]
Size = Annotated[int, typer.Option(help=help_of("image_size"))]
Device = Annotated[str, typer.Option(help=help_of("device"))]
Selected = Annotated[list[str] | None, typer.Option("--select", help=help_of("select"))]
Include = Annotated[list[str] | None, typer.Option("--include", help=help_of("include"))]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help=help_of("exclude"))]
Objects = Annotated[
    list[str], typer.Option("--dicom", help="What to write of DICOM files: overlay, map, seg, report; repeatable.")
]
USUAL_OBJECTS = ["overlay", "map"]  # `entropix.data.formats.DEFAULT_OBJECTS`, which help does not wait for
Split = Annotated[str, typer.Option(help="train or test, where DATA has both.")]
Skip = Annotated[bool, typer.Option("--skip-unreadable", help=help_of("skip_unreadable"))]
Overwrite = Annotated[bool, typer.Option("--overwrite", help=help_of("overwrite"))]
Resume = Annotated[bool, typer.Option("--resume", help=help_of("resume"))]


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed and standard error says why, 2 wrong usage, 130 Ctrl-C."""
    warnings.showwarning = _show_warning
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may hold what no terminal can show
        sys.stdout.reconfigure(errors="backslashreplace")
    asked: dict[str, bool] = {}
    try:
        app(args=_switch_first(sys.argv[1:]), obj=asked)
    except Exception as error:
        if asked.get("traceback"):
            raise
        tell(error)
        sys.exit(1)


def _switch_first(words: list[str]) -> list[str]:
    """Return the line with `--traceback` before the command, wherever it stood: one adds it to a line that failed."""
    end = words.index("--") if "--" in words else len(words)
    given = [TRACEBACK] if TRACEBACK in words[:end] else []
    return given + [word for word in words[:end] if word != TRACEBACK] + words[end:]


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C in this block end the command, with one line and exit code 130."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "interrupted", file=sys.stderr)
        raise typer.Exit(130) from None


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def reading(
    select: list[str] | None, include: list[str] | None, exclude: list[str] | None, skip_unreadable: bool
) -> dict[str, Any]:
    """Return these flags as arguments of `EntropixDetector.read`: without --select, what is read is as in the fit."""
    from entropix.data import Select

    chosen = {"select": Select.parse(select)} if select else {}
    return chosen | {"include": include, "exclude": exclude, "skip_unreadable": skip_unreadable}


def print_left_out(unreadable: Iterable[Sequence[str]], passed_over: Iterable[Sequence[str]] = ()) -> None:
    """Say what was not read: each file that should have been, and what is no image by kind."""
    from entropix.data import in_short

    for name, reason in unreadable:
        print(f"left out {name}: {reason}", file=sys.stderr)
    for line in in_short((name, reason) for name, reason in passed_over):
        print(f"passed over {line}", file=sys.stderr)


def print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1, allow_nan=False))


def print_table(rows: Sequence[Mapping[str, float | str]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    names = list(rows[0])
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(
            *(str(v) if isinstance(v, int | str) else f"{v:.4g}" for v in (row.get(n, float("nan")) for n in names))
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)
