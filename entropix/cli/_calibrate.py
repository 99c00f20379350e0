"""Make a detector ready for another site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entropix.cli._application import (
    Device,
    Exclude,
    Include,
    Json,
    Overwrite,
    Selected,
    Skip,
    app,
    print_json,
    print_left_out,
    reading,
)
from entropix.cli._data import NoCache


@app.command(short_help="Renew thresholds and p-values for another site.")
def calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    normals: Annotated[str, typer.Argument(metavar="NORMALS", help="Normal images of the site, as for `fit`.")],
    out: Annotated[Path, typer.Option(help="Folder for the new model.")],
    select: Selected = None,
    include: Include = None,
    exclude: Exclude = None,
    no_cache: NoCache = False,
    device: Device = "auto",
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Renew thresholds and p-values of MODEL for another site from NORMALS, and say how far its images are."""
    import entropix
    from entropix._utils import check_new_folder
    from entropix.scoring import Shift

    if not overwrite:
        check_new_folder(out)
    detector = entropix.load(model, device=device)
    options = reading(select, include, exclude, skip_unreadable)
    images = detector.read(normals, split="train", cache=not no_cache, progress=True, **options)
    new = detector.recalibrate(images, skip_unreadable=skip_unreadable)
    new.save(out, overwrite=overwrite)
    print_left_out(images.unreadable, images.passed_over)
    told = new.settings_["recalibrated"]
    if as_json:
        print_json({"model": str(out), "alpha": new.calibration_.reachable(new.alpha)} | told)
        return
    print(f"{Shift(**told['shift'])}")
    print(f"model written to {out}, with p-values from {told['n_images']} normal images of the site")
