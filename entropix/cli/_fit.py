"""Fit a detector."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entropix.cli._application import Data, Json, app, interruptible, print_json, print_left_out, print_table
from entropix.cli._fit_flags import with_fit_flags

if TYPE_CHECKING:
    from entropix.training import Epoch


@app.command(short_help="Fit a detector to normal images, and choose its d.")
@with_fit_flags
def fit(
    options: dict[str, Any],
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
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
        fabric = parallel.launch(options["device"], devices, num_nodes)
        if fabric.global_rank:
            log_json = tensorboard = None
    on_epoch = _watchers(log_json, tensorboard, options["resume"], options["overwrite"])
    with interruptible():
        detector = entropix.fit(data, **options, out=out, on_epoch=on_epoch, fabric=fabric)
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
    print_left_out(detector.settings_["unreadable"], detector.settings_["passed_over"])
    if as_json:
        print_json(result)
        return
    print(f"latent dimension {detector.latent_dim_}")
    if detector.entropy_ is not None:
        learnt = "enough_epochs" not in detector.settings_
        print(f"{'because' if learnt else 'which is no choice:'} {detector.reason_}")
        print(f"H(X_n) = {detector.entropy_}")
        rows = [{"chosen": "yes" if row["latent_dim"] == detector.latent_dim_ else ""} | row for row in detector.curve_]
        print_table(rows, "Candidates")
    print(f"model written to {out}")


def _watchers(
    log_json: Path | None, tensorboard: Path | None, resume: bool, overwrite: bool
) -> Callable[[Epoch], None] | None:
    from entropix._utils import check_new_file, check_new_folder

    watchers: list[Callable[[Epoch], None]] = []
    if tensorboard is not None:
        from entropix.writers import TensorBoard

        if not (resume or overwrite):  # with either, TensorBoard hides old numbers of the epochs to come
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
