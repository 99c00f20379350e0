"""The front door: `entropix.fit` and `entropix.load`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropix._utils import Epoch, resolve_device
from entropix.data import are_vectors, read
from entropix.detector import _storage as storage
from entropix.detector._detector import EntropixDetector
from entropix.detector._learn import check_arguments
from entropix.scoring import check_alpha
from entropix.training import TRAINING_BATCH, Checkpoint, parallel

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def fit(
    dataset: Any,
    *,
    latent_dim: int | str = "auto",
    strategy: str = "select",
    image_size: int = 64,
    epochs: int | None = None,
    seed: int = 0,
    alpha: float = 0.05,
    device: str = "auto",
    out: str | Path | None = None,
    progress: bool = True,
    skip_unreadable: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    on_epoch: Callable[[Epoch], None] | None = None,
    fabric: Fabric | None = None,
) -> EntropixDetector:
    """Fit an anomaly detector to normal images; the size of its code is chosen from them too.

    Equivalent to `EntropixDetector(latent_dim, ...).fit(dataset)`, and `.save(out)`.

    Args:
        dataset: normal images: a folder, file, archive, array, tensor, list or torch `Dataset`
            (`entropix.data.read` lists all). Images that are labelled abnormal are left out.
            Or flat feature vectors (n, p), n at least 20.
        latent_dim: d, or "auto": the one where the code holds what normal images have in common and not more
            (`entropix.selection`).
        strategy: how "auto" gets there: "select" trains one nested autoencoder, measures every candidate d from 1 to
            128 and cuts the code at the chosen one; "prune" trains a wide code, turns it to its principal axes, cuts
            and trains on; "constrain" makes the length of the code part of the training. Each is one training.
        image_size: images are resized to image_size x image_size pixels, a multiple of 16.
        epochs: passes over the training images. None: as many as show 250,000 images, between 25 and 600 passes.
        seed: of the split, the initial weights and the order of the images. The same seed, data, device and
            versions give the same detector.
        alpha: share of normal images that `predict` may call anomalous.
        device: "auto", "cpu", "cuda" or "cuda:N".
        out: folder to save the detector to, checked before any work and written at the end. Until then
            `OUT.checkpoint` beside it holds the state of the training, every half minute.
        progress: show a progress bar on standard error or, if that is no terminal, a line every quarter of a minute.
        skip_unreadable: leave out files that cannot be read, and images of one constant value.
        overwrite: let `out` be a folder that already holds a model.
        resume: go on with the checkpoint that an interrupted fit to `out` left; it ends as that one would have. If
            there is none, a warning says so and the fit starts anew.
        on_epoch: called after every epoch with its number, their number, the mean loss, the seconds so far and, now
            and then, the error of held-out images and the entropy of their reconstructions (`entropix.training.Epoch`).
            It changes nothing about the result.
        fabric: a Lightning `Fabric` that was launched: the training then is divided among its processes, on its devices
            instead of `device`, and the first of them alone writes, shows and calls `on_epoch` (`entropix.training.parallel`).

    Raises:
        DataError: unreadable, constant or too few images; the message says what to do.
        ValueError: an argument out of its range.
        FileExistsError: `out` is in use, or holds the checkpoint of an interrupted fit that is not to be resumed.
        CheckpointError: the checkpoint is damaged, or of other images or settings.
        FloatingPointError, KeyboardInterrupt: the training diverged, or Ctrl-C. The checkpoint keeps the last finite
            state, and if an epoch was over, `out` holds a model of that state: d chosen, residuals modelled and
            calibrated as ever, `settings_["stopped_after_epoch"]`. A second Ctrl-C leaves that model out.
    """
    if resume and out is None:
        raise ValueError("resume=True without out; give the folder that the interrupted fit was to write")
    checkpoint = None
    if out is not None:
        checkpoint = Checkpoint(Path(out), resume=resume, overwrite=overwrite)
        overwrite |= checkpoint.resumes  # it may have been interrupted after the model was there
        storage.check_free(Path(out), overwrite)
    if fabric is not None:
        device = str(fabric.device)
        parallel.check_shares(TRAINING_BATCH, fabric.world_size)
        fabric.barrier()  # all have seen what is there before the first one writes
        if fabric.global_rank:
            checkpoint, progress, on_epoch = None, False, None
    make = partial(
        EntropixDetector, latent_dim, strategy=strategy, image_size=image_size, epochs=epochs, seed=seed, alpha=alpha
    )
    reading: dict[str, Any] = {"progress": progress, "skip_unreadable": skip_unreadable}
    options = reading | {"checkpoint": checkpoint}
    with nullcontext() if checkpoint is None else checkpoint.kept(), parallel.divided(fabric):
        check_arguments(latent_dim, image_size, epochs, strategy)
        check_alpha(alpha)
        resolve_device(device)
        if not are_vectors(dataset):  # once: a second reading may give other images, and takes its time
            dataset = read(dataset, image_size=image_size, **reading)
        try:
            detector = make(device=device).fit(dataset, on_epoch=on_epoch, **options)
        except (KeyboardInterrupt, FloatingPointError) as stop:
            if checkpoint is None or out is None or parallel.processes() > 1 or not (done := checkpoint.epochs()):
                raise
            why = (
                str(stop)
                or f"interrupted; resume=True (the same command and --resume) goes on with {checkpoint.folder}"
            )
            print(
                f"{str(stop) or 'interrupted'}: making a model of epoch {done}; Ctrl-C leaves it out", file=sys.stderr
            )
            checkpoint.over = True
            detector = make(device=device).fit(dataset, **options)
            detector.settings_["stopped_after_epoch"] = done
            detector.save(out, overwrite=overwrite)
            raise type(stop)(f"{why}; {out} holds a model of epoch {done}") from None
        if out is not None and parallel.is_first():
            detector.save(out, overwrite=overwrite)
    if fabric is not None:
        fabric.barrier()
    return detector


def load(folder: str | Path, device: str = "auto") -> EntropixDetector:
    """The detector that `EntropixDetector.save` wrote to `folder`. Nothing in the folder is executed.

    Raises:
        ModelError: not a model folder, or one of another format version; the message says which file.
    """
    return storage.load(Path(folder), device)
