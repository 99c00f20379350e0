"""The way in: `entropix.fit` and `entropix.load`."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from entropix._utils import as_path, resolve_device
from entropix.data import are_vectors, read
from entropix.detector import _storage as storage
from entropix.detector._detector import EntropixDetector
from entropix.detector._learn import FOREIGN_CONTENT
from entropix.detector._model_format import damaged
from entropix.options import FitOptions, takes_options
from entropix.training import TRAINING_BATCH, Checkpoint, parallel

LOG = logging.getLogger("entropix")


@takes_options(FitOptions)
def fit(dataset: Any, **options: Any) -> EntropixDetector:
    """Fit an anomaly detector to normal images; the size of its code is chosen from them too.

    The same as `EntropixDetector(latent_dim, ...).fit(dataset)`, and `.save(out)`.

    Args:
        dataset: normal images: a folder, file, archive, array, tensor, list or torch `Dataset`
            (`entropix.data.read` lists all); images that are labelled abnormal are left out.
            Or flat feature vectors (n, p), n at least 20.
        **options: see `FitOptions`.

    Returns:
        The fitted detector.

    Raises:
        DataError: unreadable, constant or too few images; the message says what to do.
        ValueError: an option out of its range.
        FileExistsError: `out` is in use, or holds the checkpoint of an interrupted fit that is not to be resumed.
        CheckpointError: the checkpoint is damaged, or of other images or settings.
        FloatingPointError: the training diverged. The checkpoint keeps the last finite state. If an epoch was over,
            `out` holds a model of that state, with d chosen, residuals modelled and scores calibrated as ever, and
            with `settings_["stopped_after_epoch"]`.
        KeyboardInterrupt: Ctrl-C; checkpoint and model as for FloatingPointError. A second Ctrl-C leaves the model
            out.
    """
    return _fit(dataset, FitOptions(**options))


def _fit(dataset: Any, options: FitOptions) -> EntropixDetector:
    """Check where the result goes, read, learn, save."""
    checkpoint, fabric = _checkpoint(options), options.fabric
    # the run that is resumed may have been interrupted after it wrote its model
    overwrite = options.overwrite or (checkpoint is not None and checkpoint.resumes)
    if options.out is not None:
        storage.check_free(Path(options.out), overwrite)
    if fabric is not None:
        parallel.check_shares(TRAINING_BATCH, fabric.world_size)
        fabric.barrier()  # every process has seen what is there before the first one writes
        options = replace(options, device=str(fabric.device))
        if fabric.global_rank:
            checkpoint, options = None, replace(options, progress=False, on_epoch=None)
    with nullcontext() if checkpoint is None else checkpoint.kept(), parallel.divided(fabric):
        resolve_device(options.device)
        if not are_vectors(dataset):  # once: a second reading takes time, and may give other images
            dataset = read(dataset, **options.reading())
        try:
            detector = _learn(dataset, options, checkpoint)
        except (KeyboardInterrupt, FloatingPointError) as stop:
            done = 0 if checkpoint is None else checkpoint.epochs(besides=FOREIGN_CONTENT)
            if checkpoint is None or options.out is None or parallel.processes() > 1 or not done:
                raise
            why = _rescue(dataset, options, checkpoint, overwrite, stop, done)
            raise type(stop)(why) from None
        if options.out is not None and parallel.is_first():
            detector.save(options.out, overwrite=overwrite)
    if fabric is not None:
        fabric.barrier()
    return detector


def load(folder: str | Path, device: str = "auto") -> EntropixDetector:
    """Load the detector that `EntropixDetector.save` wrote to `folder`. Nothing in the folder is executed.

    Args:
        folder: a model folder.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Returns:
        The fitted detector; on the same device it scores as the saved one, to the last bit.

    Raises:
        ModelError: not a model folder, a damaged one, or one of another format; the message says which file.
    """
    stored = storage.load(as_path(folder, "folder"), device)
    try:
        FitOptions(**stored.parameters)
    except (TypeError, ValueError) as error:
        raise damaged(Path(folder), error) from error
    detector = EntropixDetector.from_fitted(stored.fitted, **stored.parameters, device=device)
    if stored.fitted.standard is not None:
        detector.n_features_in_ = len(stored.fitted.standard.centre)
    if stored.feature_names is not None:
        detector.feature_names_in_ = np.array(stored.feature_names, dtype=object)
    return detector


def _checkpoint(options: FitOptions) -> Checkpoint | None:
    if options.out is None:
        return None
    return Checkpoint(Path(options.out), resume=options.resume, overwrite=options.overwrite, stacklevel=6)


def _learn(dataset: Any, options: FitOptions, checkpoint: Checkpoint | None) -> EntropixDetector:
    detector = EntropixDetector(**options.parameters())
    run: dict[str, Any] = {"progress": options.progress, "skip_unreadable": options.skip_unreadable}
    return detector.fit(dataset, on_epoch=options.on_epoch, checkpoint=checkpoint, **run)


def _rescue(
    dataset: Any, options: FitOptions, checkpoint: Checkpoint, overwrite: bool, stop: BaseException, done: int
) -> str:
    """Write a model of the `done` epochs that an interrupted training has completed; return the message of it."""
    told, out = str(stop) or "interrupted", Path(str(options.out))
    # logged, because a warning that is turned into an error would cost the model
    LOG.warning("%s: making a model of epoch %d; Ctrl-C leaves it out", told, done)
    checkpoint.over = True
    detector = _learn(dataset, replace(options, on_epoch=None), checkpoint)
    detector.settings_["stopped_after_epoch"] = done
    detector.save(out, overwrite=overwrite)
    resume = f"; resume=True (the same command and --resume) goes on with {checkpoint.folder}"
    return f"{told}{'' if str(stop) else resume}; {out} holds a model of epoch {done}"
