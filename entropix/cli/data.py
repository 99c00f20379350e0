"""Look at data, and bring published data sets into shape."""

from __future__ import annotations

from typing import Annotated

import typer

from entropix.cli.application import Data, Device, Json, Size, app, print_json

Selected = Annotated[
    list[str] | None,
    typer.Option("--select", help="axis=coronal, slices=30:90, component=1 or series=NAME; may be repeated."),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep no decoded images for the next time.")]
KeepIds = Annotated[bool, typer.Option("--keep-ids", help="Name patients and series as their files do.")]


@app.command()
def inspect(
    data: Data,
    image_size: Size = 64,
    select: Selected = None,
    seed: int = 0,
    device: Device = "auto",
    keep_ids: KeepIds = False,
    no_cache: NoCache = False,
    as_json: Json = False,
) -> None:
    """Say what DATA holds (counts, kinds, copies, entropy, ...) and what `entropix fit` would do with it."""
    from entropix.data import Select
    from entropix.inspecting import inspect as look

    result = look(
        data,
        image_size=image_size,
        select=Select.parse(select or ()),
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
