"""Write a model for people and for other runtimes: report, card, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from entropix.cli._application import Device, Exclude, Include, Overwrite, Selected, Skip, Split, app, reading


@app.command(short_help="Write a page: what stands out, where, and how sure that is.")
def report(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    out: Annotated[Path, typer.Option(help="HTML file.")],
    data: Annotated[str | None, typer.Option(metavar="DATA", help="Images to score and to show.")] = None,
    normal: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Normal images of the fit, to show the most alike beside each image."),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Instead: CSV file of `entropix score`; numbers without pictures.")
    ] = None,
    split: Split = "test",
    select: Selected = None,
    include: Include = None,
    exclude: Exclude = None,
    skip_unreadable: Skip = False,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Write one HTML page: how many images of DATA stand out, which, where and how sure that is; then about MODEL."""
    import entropix
    from entropix._utils import check_new_file
    from entropix.report import write_report

    check_new_file(out, overwrite)
    detector = entropix.load(model, device=device)
    options = reading(select, include, exclude, skip_unreadable) | {"split": split}
    write_report(
        detector, out, model=model.name, data=data, normal=normal, scores=scores, overwrite=overwrite, **options
    )
    print(f"report written to {out}")


@app.command(short_help="Print the model card: data, d, calibration, limits.")
def card(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="Markdown file, such as README.md. Without it the card is printed.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Print the model card of MODEL, Markdown as the Hugging Face hub has it: data, d, calibration, limits."""
    import entropix
    from entropix._utils import check_new_file, new_file
    from entropix.report import model_card

    if out is not None:
        check_new_file(out, overwrite)
    text = model_card(entropix.load(model, device="cpu"), model)
    if out is None:
        print(text, end="")
        return
    with new_file(out) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"card written to {out}")


@app.command(short_help="Write the model as one file for other runtimes.")
def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    out: Annotated[Path, typer.Option(help="File that ends in .onnx or .pt2.")],
    overwrite: Overwrite = False,
) -> None:
    """Write MODEL as one file for other runtimes: images in; scores, p-values, heat maps and reconstructions out."""
    import entropix
    from entropix.writers import export as write

    write(entropix.load(model, device="cpu"), out, overwrite=overwrite)
    print(f"model written to {out}")
