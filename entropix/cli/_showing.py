"""Show entropix itself: the demo, versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entropix.cli._application import Json, app, print_json


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("entropix-demo"),
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Try everything on simulated images of known factors: fit, choose d, compare with the labelled sweep, draw."""
    from entropix.cli import _demo as example

    result = example.run(out, seed=seed, progress=True)
    if as_json:
        print_json(result)
    else:
        print(example.describe(result))


@app.command()
def info(as_json: Json = False) -> None:
    """Print versions, and what the native module can do on this machine."""
    from entropix._utils import versions

    result = versions()
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        print(f"{name}: {value}")
