"""Fit, score, sweep."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from entropix._utils import Epoch
from entropix.cli._application import (
    Data,
    Device,
    Epochs,
    Json,
    Overwrite,
    Resume,
    Size,
    Skip,
    app,
    interruptible,
    print_json,
    print_left_out,
    print_table,
)
from entropix.cli._data import KeepIds, NoCache, Selected


@app.command()
def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    latent_dim: Annotated[str, typer.Option(help="auto, or a number.")] = "auto",
    strategy: Annotated[str, typer.Option(help="How auto finds it: select, prune or constrain.")] = "select",
    image_size: Size = 64,
    epochs: Epochs = None,
    seed: int = 0,
    device: Device = "auto",
    select: Selected = None,
    no_cache: NoCache = False,
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
    log_json: Annotated[Path | None, typer.Option(help="File for a line of JSON per epoch, as it goes.")] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for TensorBoard's logs; needs its extra.")] = None,
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or processes on the CPU, that share each batch.")] = 1,
    num_nodes: Annotated[int, typer.Option(min=1, help="Machines with as many devices each.")] = 1,
    as_json: Json = False,
) -> None:
    """Fit a detector to the normal images in DATA and choose its latent dimension."""
    import entropix
    from entropix.training import TRAINING_BATCH, parallel

    fabric = None
    if devices > 1 or num_nodes > 1:
        parallel.check_shares(TRAINING_BATCH, devices * num_nodes)
        fabric = parallel.launch(device, devices, num_nodes)
        if fabric.global_rank:
            log_json = tensorboard = None
    on_epoch = _watchers(log_json, tensorboard, resume, overwrite)
    with interruptible():
        detector = entropix.fit(
            selected(data, select, no_cache, image_size=image_size, skip_unreadable=skip_unreadable),
            latent_dim=parse_latent_dim(latent_dim),
            strategy=strategy,
            image_size=image_size,
            epochs=epochs,
            seed=seed,
            device=device,
            out=out,
            skip_unreadable=skip_unreadable,
            overwrite=overwrite,
            resume=resume,
            on_epoch=on_epoch,
            fabric=fabric,
        )
    if fabric is not None and fabric.global_rank:
        return
    result = {
        "model": str(out),
        "latent_dim": detector.latent_dim_,
        "reason": detector.reason_,
        "entropy": None if detector.entropy_ is None else detector.entropy_.to_dict(),
        "curve": detector.curve_,
        "settings": detector.settings_,
    }
    print_left_out(detector.settings_["unreadable"])
    if as_json:
        print_json(result)
        return
    print(f"latent dimension {detector.latent_dim_}")
    if detector.entropy_ is not None:
        print(f"because {detector.reason_}")
        print(f"H(X_n) = {detector.entropy_}")
        print_table(detector.curve_, "Candidates")
    print(f"model written to {out}")


@app.command()
def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that `entropix fit` wrote.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="CSV file for the scores.")],
    split: Annotated[str, typer.Option(help="train or test, where DATA has both.")] = "test",
    heatmaps: Annotated[
        Path | None, typer.Option(help="Folder for heat maps: NIfTI of NIfTI, DICOM of DICOM, else PNG.")
    ] = None,
    select: Selected = None,
    keep_ids: KeepIds = False,
    no_cache: NoCache = False,
    device: Device = "auto",
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Score the images in DATA; prints AUC and AP if DATA says which are abnormal."""
    import entropix
    from entropix import writers
    from entropix._utils import check_new_file, check_new_folder
    from entropix.data import Select

    of_volumes = out.with_name(f"{out.stem}.volumes{out.suffix}")
    check_new_file(out, overwrite)
    check_new_file(of_volumes, overwrite)
    if heatmaps is not None:
        check_new_folder(heatmaps)
    detector = entropix.load(model, device=device)
    options: dict[str, Any] = {"select": Select.parse(select)} if select else {}  # else as the detector was fitted
    options |= {"skip_unreadable": skip_unreadable, "keep_ids": keep_ids, "cache": not no_cache}
    images = detector.read(data, split=split, progress=True, **options)
    result = writers.score(detector, images)
    writers.write_scores(out, images, result)
    n_volumes = writers.write_volume_scores(of_volumes, images, result.terms)
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
        "unreadable": [list(entry) for entry in images.unreadable],
    }
    print_left_out(images.unreadable)
    if as_json:
        print_json(summary)
        return
    for name, values in result.metrics.items():
        print(f"{name}: AUC {values['auc']:.3f}, AP {values['ap']:.3f}")
    print(f"{n_anomalous} of {len(images)} images are anomalous (p <= {alpha:.3g})")
    print(f"{len(images)} scores written to {out}")
    if n_volumes:
        print(f"{n_volumes} scores of volumes written to {of_volumes}")


@app.command()
def sweep(
    data: Data,
    out: Annotated[Path, typer.Option(help="New folder for the tables.")],
    dims: Annotated[str, typer.Option(help="Candidates, separated by commas.")] = "1,2,4,8,16,32,64,128",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    model: Annotated[str, typer.Option(help="ae, or vae: the variational one.")] = "ae",
    image_size: Size = 64,
    epochs: Epochs = None,
    device: Device = "auto",
    skip_unreadable: Skip = False,
    resume: Resume = False,
    jobs: Annotated[int, typer.Option(help="Trainings at a time, each in a process; -1: one per core.")] = 1,
    as_json: Json = False,
) -> None:
    """The paper's baseline: train once per latent dimension and seed, score on the labelled test images of DATA."""
    import entropix
    from entropix.baseline import SweepRow

    def report(row: SweepRow) -> None:
        auc = "" if row.auc is None else f", AUC {row.auc:.3f}, AP {row.ap:.3f}"
        print(
            f"d = {row.latent_dim}, seed {row.seed}: training error {row.error_train:.4f}{auc}",
            file=sys.stderr,
        )

    with interruptible():
        result = entropix.sweep(
            data,
            dims=parse_integers(dims, "--dims"),
            seeds=parse_integers(seeds, "--seeds"),
            model=model,
            image_size=image_size,
            epochs=epochs,
            device=device,
            skip_unreadable=skip_unreadable,
            out=out,
            resume=resume,
            jobs=jobs,
            on_row=report,
        )
    if as_json:
        print_json({"sweep": str(out), "table": result.table(), "best": result.best(), "settings": result.settings})
        return
    print_table(result.table(), "Fixed-d sweep")
    print(f"tables written to {out}")


def selected(data: str, select: list[str] | None, no_cache: bool, **options: Any) -> Any:
    """DATA as it is, or read here if only part of it is wanted or nothing is to be kept."""
    if not select and not no_cache:
        return data
    from entropix.data import Select, read

    return read(data, select=Select.parse(select or ()), cache=not no_cache, progress=True, **options)


def _watchers(
    log_json: Path | None, tensorboard: Path | None, resume: bool, overwrite: bool
) -> Callable[[Epoch], None] | None:
    from entropix._utils import check_new_file, check_new_folder

    watchers: list[Callable[[Epoch], None]] = []
    if tensorboard is not None:
        from entropix.writers import TensorBoard

        if not (resume or overwrite):  # with either, TensorBoard hides what was there of the epochs that come
            check_new_folder(tensorboard)
        watchers.append(TensorBoard(tensorboard))
    if log_json is not None:
        if not resume:
            check_new_file(log_json, overwrite)
            log_json.unlink(missing_ok=True)
        watchers.append(partial(_append, log_json))

    def watch(at: Epoch) -> None:
        for one in watchers:
            one(at)

    return watch if watchers else None


def _append(path: Path, epoch: Epoch) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(epoch)) + "\n")


def parse_latent_dim(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"--latent-dim {text!r}: expected auto or a whole number of at least 1")
    return int(text)


def parse_integers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r}: expected whole numbers separated by commas") from None
