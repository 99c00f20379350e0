"""Score images with a detector."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from entropix._utils import check_new_file, check_new_folder
from entropix.cli._application import (
    Data,
    Device,
    Exclude,
    Include,
    Json,
    Overwrite,
    Selected,
    Skip,
    Split,
    app,
    print_json,
    print_left_out,
)
from entropix.cli._data import KeepIds, NoCache


@app.command()
def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="CSV file for the scores.")],
    split: Split = "test",
    heatmaps: Annotated[
        Path | None, typer.Option(help="Folder for heat maps, in the format of the source or as PNG over it.")
    ] = None,
    select: Selected = None,
    include: Include = None,
    exclude: Exclude = None,
    keep_ids: KeepIds = False,
    no_cache: NoCache = False,
    device: Device = "auto",
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score the images in DATA; print AUC and AP if DATA says which are abnormal."""
    import entropix
    from entropix import writers
    from entropix.data import Select

    of_volumes = out.with_name(f"{out.stem}.volumes{out.suffix}")
    check_new_file(out, overwrite)
    of_masks = out.with_name(f"{out.stem}.masks{out.suffix}")
    check_new_file(of_volumes, overwrite)
    check_new_file(of_masks, overwrite)
    if heatmaps is not None:
        check_new_folder(heatmaps)
    detector = entropix.load(model, device=device)
    options: dict[str, Any] = {"select": Select.parse(select)} if select else {}  # else as the detector was fitted
    options |= {"include": include, "exclude": exclude, "skip_unreadable": skip_unreadable}
    options |= {"keep_ids": keep_ids, "cache": not no_cache}
    images = detector.read(data, split=split, progress=True, **options)
    result = writers.score(detector, images)
    writers.write_scores(out, images, result)
    n_volumes = writers.write_volume_scores(of_volumes, images, result.terms)
    located = writers.locate(detector, images)
    if located.rows:
        writers.write_located(of_masks, located)
    if heatmaps is not None:
        writers.write_heatmaps(heatmaps, detector, images, keep_ids)
    alpha = detector.calibration_.reachable(detector.alpha)
    n_anomalous = int((result.p_values <= alpha).sum())
    summary = {
        "model": str(model),
        "scores": str(out),
        "n": len(images),
        "volumes": str(of_volumes) if n_volumes else None,
        "n_volumes": n_volumes,
        "alpha": alpha,
        "n_anomalous": n_anomalous,
        "metrics": result.metrics,
        "masks": str(of_masks) if located.rows else None,
        "located": located.overall,
        "unreadable": [list(entry) for entry in images.unreadable],
        "passed_over": [list(entry) for entry in images.passed_over],
    }
    print_left_out(images.unreadable, images.passed_over)
    for name, reason in located.unusable:
        print(f"masks of {name} not used: {reason}", file=sys.stderr)
    if as_json:
        print_json(summary)
        return
    for name, values in result.metrics.items():
        print(f"{name}: AUC {values['auc']:.3f}, AP {values['ap']:.3f}")
    if "ap" in located.overall:
        told = "voxels of {} files with masks: AP {ap:.3f}, best Dice {best_dice:.3f}, AUPRO {aupro:.3f}"
        print(told.format(len(located.rows), **located.overall))
    print(f"{n_anomalous} of {len(images)} images are anomalous (p <= {alpha:.3g})")
    print(f"{len(images)} scores written to {out}")
    if n_volumes:
        print(f"{n_volumes} scores of volumes written to {of_volumes}")
    if located.rows:
        print(f"how heat maps fit masks written to {of_masks}")
