"""Look at data, and bring published data sets into shape."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entropix.cli._application import Data, Device, Exclude, Include, Json, Selected, Size, app, help_of, print_json

NoCache = Annotated[bool, typer.Option("--no-cache", help=help_of("cache"))]
KeepIds = Annotated[bool, typer.Option("--keep-ids", help="Name patients and series as their files do.")]


@app.command(short_help="Say what DATA holds, and what `entropix fit` would do with it.")
def inspect(
    data: Data,
    image_size: Size = 32,
    select: Selected = None,
    include: Include = None,
    exclude: Exclude = None,
    seed: int = 0,
    device: Device = "auto",
    keep_ids: KeepIds = False,
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """Say what DATA holds (counts, kinds, duplicates, entropy, ...) and what `entropix fit` would do with it."""
    from entropix.data import Select
    from entropix.detector import inspect as look

    result = look(
        data,
        image_size=image_size,
        select=Select.parse(select or ()),
        include=include,
        exclude=exclude,
        seed=seed,
        device=device,
        keep_ids=keep_ids,
        cache=not no_cache,
        progress=True,
    )
    if as_json:
        print_json(result.to_dict())
    else:
        print(result)


@app.command(short_help="Bring a data set of the paper into shape.")
def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="rsna, vindr-cxr, brain-tumor or brats2021.")],
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder of the data set as it is published.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for images and data.json.")],
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Bring a data set of the paper from its published form to a folder with the benchmark's split sizes."""
    from entropix.data.conversion import RECIPES, convert

    counts = convert(name, source, out, seed=seed, progress=True)
    published = vars(RECIPES[name].sizes)
    if as_json:
        print_json({"data": str(out), "images": counts, "published": published})
        return
    shown = ", ".join(f"{count:,} {part.replace('_', ' ')}" for part, count in counts.items())
    print(f"{shown} images written to {out}")
    if counts != published:
        print("published: " + ", ".join(f"{count:,}" for count in published.values()))
