"""Run the paper's baseline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from entropix.cli._application import (
    Data,
    Device,
    Epochs,
    Exclude,
    Include,
    Json,
    Resume,
    Selected,
    Size,
    Skip,
    app,
    interruptible,
    print_json,
    print_table,
)


@app.command(short_help="Run the paper's baseline: a training per latent dimension.")
def sweep(
    data: Data,
    out: Annotated[Path, typer.Option(help="New folder for the tables.")],
    dims: Annotated[str, typer.Option(help="Candidates, separated by commas.")] = "1,2,4,8,16,32,64,128",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    model: Annotated[str, typer.Option(help="ae, or vae: the variational one.")] = "ae",
    image_size: Size = 64,
    epochs: Epochs = None,
    device: Device = "auto",
    select: Selected = None,
    include: Include = None,
    exclude: Exclude = None,
    skip_unreadable: Skip = False,
    resume: Resume = False,
    jobs: Annotated[int, typer.Option(help="Trainings at a time, each in a process; -1: one per core.")] = 1,
    as_json: Json = False,
) -> None:
    """Run the paper's baseline: train once per latent dimension and seed, score the labelled test images of DATA."""
    import entropix
    from entropix.baseline import SweepRow
    from entropix.data import Select

    def report(row: SweepRow) -> None:
        auc = "" if row.auc is None else f", AUC {row.auc:.3f}, AP {row.ap:.3f}"
        auc += "" if row.voxel_ap is None else f", voxel AP {row.voxel_ap:.3f}"
        print(
            f"d = {row.latent_dim}, seed {row.seed}: training error {row.error_train:.4f}{auc}",
            file=sys.stderr,
        )

    with interruptible():
        result = entropix.sweep(
            data,
            dims=parse_integers(dims, "--dims"),
            seeds=parse_integers(seeds, "--seeds"),
            model=cast(Any, model),  # checked there
            image_size=image_size,
            epochs=epochs,
            device=device,
            select=Select.parse(select) if select else None,
            include=include,
            exclude=exclude,
            skip_unreadable=skip_unreadable,
            out=out,
            resume=resume,
            jobs=jobs,
            on_row=report,
        )
    for name, reason in next(iter(result.located.values())).unusable:  # the same for all
        print(f"masks of {name} not used: {reason}", file=sys.stderr)
    if as_json:
        print_json({"sweep": str(out), "table": result.table(), "best": result.best(), "settings": result.settings})
        return
    print_table(result.table(), "Fixed-d sweep")
    print(f"tables written to {out}")


def parse_integers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r}: expected whole numbers separated by commas") from None
