"""Score images with a detector."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from entropix.cli._application import (
    USUAL_OBJECTS,
    Data,
    Device,
    Exclude,
    Include,
    Json,
    Objects,
    Overwrite,
    Selected,
    Skip,
    Split,
    app,
    print_json,
    print_left_out,
    reading,
)
from entropix.cli._data import KeepIds, NoCache


@app.command(short_help="Score images; write tables and heat maps.")
def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="CSV file for the scores.")],
    split: Split = "test",
    heatmaps: Annotated[
        Path | None, typer.Option(help="Folder for heat maps, in the format of the source or as PNG over it.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV file of labels: path or id (patient, volume, UID), label (0 or 1).")
    ] = None,
    fdr: Annotated[
        float | None, typer.Option(help="Decide by this false discovery rate, instead of the model's alpha.")
    ] = None,
    dicom: Objects = USUAL_OBJECTS,
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
    from entropix._utils import check_new_file, check_new_folder
    from entropix.data import with_labels
    from entropix.scoring import locate

    of_volumes = out.with_name(f"{out.stem}.volumes{out.suffix}")
    check_new_file(out, overwrite)
    of_masks = out.with_name(f"{out.stem}.masks{out.suffix}")
    check_new_file(of_volumes, overwrite)
    check_new_file(of_masks, overwrite)
    if heatmaps is not None:
        check_new_folder(heatmaps)
    detector = entropix.load(model, device=device)
    options = reading(select, include, exclude, skip_unreadable) | {"keep_ids": keep_ids, "cache": not no_cache}
    images = detector.read(data, split=split, progress=True, **options)
    if heatmaps is not None:
        writers.check_heatmaps(images, dicom)
    if labels is not None:
        images = with_labels(images, labels)
    result = writers.score(detector, images, fdr, maps=bool(images.masks) or heatmaps is not None)
    writers.write_scores(out, images, result)
    n_volumes = writers.write_volume_scores(of_volumes, images, result.volumes)
    located = locate(images, lambda of: detector.surprise_maps(of) if result.maps is None else result.maps)
    if located.rows:
        writers.write_located(of_masks, located)
    for path, written in ((of_volumes, n_volumes), (of_masks, located.rows)):
        if not written:
            path.unlink(missing_ok=True)  # of an older run, whose scores were overwritten
    if heatmaps is not None:
        writers.write_heatmaps(heatmaps, detector, images, keep_ids, dicom, result)
    separated, n_anomalous = result.separation, int(result.anomalous.sum())
    of_known = detector.calibration_.volumes
    summary = {
        "model": str(model),
        "scores": str(out),
        "n": len(images),
        "volumes": str(of_volumes) if n_volumes else None,
        "n_volumes": n_volumes,
        "n_anomalous_volumes": sum(volume.anomalous or False for volume in result.volumes) if of_known else None,
        "alpha": result.alpha,
        "alpha_volumes": of_known.reachable(detector.alpha) if of_known else None,
        "fdr": fdr,
        "n_anomalous": n_anomalous,
        "metrics": separated.metrics,
        "copies": separated.copies,
        "metrics_without_copies": separated.without_copies,
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
    for name, values in separated.metrics.items():
        without = ""
        if separated.copies:
            rest = separated.without_copies.get(name)
            told = f"AUC {rest['auc']:.3f}, AP {rest['ap']:.3f}" if rest else "one label is left"
            without = f" (without {separated.copies} near copies of images of the fit: {told})"
        print(f"{name}: AUC {values['auc']:.3f}, AP {values['ap']:.3f}{without}")
    by = "p <= {:.3g}" if fdr is None else f"false discovery rate {fdr:g}"
    print(f"{n_anomalous} of {len(images)} images are anomalous ({by.format(result.alpha)})")
    print(f"{len(images)} scores written to {out}")
    if n_volumes:
        told = "the model knows no held-out volumes to decide by"
        if of_known:
            level = by.format(summary["alpha_volumes"])
            told = f"{summary['n_anomalous_volumes']} are anomalous ({level}; {len(of_known)} held-out volumes)"
        print(f"{n_volumes} scores of volumes written to {of_volumes}: {told}")
    if "ap" in located.overall:
        told = "voxels of {} files with masks: AP {ap:.3f}, best Dice {best_dice:.3f}, AUPRO {aupro:.3f}"
        print(told.format(len(located.rows), **located.overall))
    if located.rows:
        print(f"how heat maps fit masks written to {of_masks}")
