"""Show entropix itself: the demo, versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entropix.cli._application import Json, app, interruptible, print_json


@app.command(short_help="Try everything on simulated slices of heads.")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for model, report and pictures.")] = Path("entropix-demo"),
    full: Annotated[
        bool, typer.Option("--full", help="Compare with the labelled sweep too, which takes much longer.")
    ] = False,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Try everything on simulated slices of heads whose answers are known: fit, choose d, score, report, draw."""
    from entropix.cli import _demo as example

    with interruptible():
        result = example.run(out, seed=seed, full=full, progress=True)
    if as_json:
        print_json(result)
    else:
        print(example.describe(result, out))


@app.command(short_help="Print versions, and what this machine can do.")
def info(as_json: Json = False) -> None:
    """Print versions, and what the native module can do on this machine."""
    from entropix._utils import versions

    result = versions()
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        print(f"{name}: {value}")
