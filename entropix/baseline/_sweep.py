"""`entropix.sweep`: the paper's baseline, one training per d and seed, scored on labelled test images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from entropix._utils import Progress, as_path, check_new_folder, is_whole, resolve_device, whole_numbers
from entropix.baseline._batched import fit_batched
from entropix.baseline._result import FILES, Sweep, SweepRow
from entropix.baseline._scoring import scored, test_images
from entropix.data import Globs, Select, read
from entropix.detector import (
    DIMS,
    PAPER_PRESENTATIONS,
    EntropixDetector,
    Fitted,
    default_epochs,
    fit_fixed,
    learn_network,
    settings,
    to_resume,
)
from entropix.exceptions import FitWarning
from entropix.models import Autoencoder, ImageAutoencoder, VariationalAutoencoder
from entropix.options import FitOptions, check_code_length
from entropix.scoring import ForeignNetwork, Located
from entropix.training import Checkpoint, TrainingData, without_constant

MODELS: dict[str, type[ImageAutoencoder]] = {"ae": Autoencoder, "vae": VariationalAutoencoder}
ModelName = Literal["ae", "vae"]


def sweep(
    train: Any,
    test: Any = None,
    labels: Sequence[int] | np.ndarray | None = None,
    dims: Sequence[int] = DIMS,
    seeds: Sequence[int] = (0,),
    *,
    model: ModelName = "ae",
    image_size: int = 64,
    epochs: int | None = None,
    device: str = "auto",
    progress: bool = True,
    select: Select | None = None,
    include: Globs = None,
    exclude: Globs = None,
    skip_unreadable: bool = False,
    out: str | Path | None = None,
    resume: bool = False,
    jobs: int = 1,
    on_row: Callable[[SweepRow], None] | None = None,
) -> Sweep:
    """Train the paper's autoencoder once per d and seed (Cai et al., MICCAI 2024, Table 1 and Figure 3).

    Args:
        train: normal images, as for `entropix.fit`.
        test: test images. None: those that `train` names itself (a `data.json`, a `test` folder), if any.
        labels: of the test images, 0 normal and 1 abnormal, where the source doesn't know them.
        dims: the candidates d.
        seeds: one training per d and seed.
        model: "ae", or "vae" for the paper's variational baseline (Table 2).
        image_size: as for `entropix.fit`.
        epochs: as for `entropix.fit`. Each training sees the same images as `fit` with that seed, for as many epochs,
            with the paper's recipe (constant learning rate).
        device: as for `entropix.fit`.
        progress: as for `entropix.fit`.
        select: as for `entropix.fit`.
        include: as for `entropix.fit`.
        exclude: as for `entropix.fit`.
        skip_unreadable: as for `entropix.fit`.
        out: new folder for the tables (`Sweep.save`), checked before any work. Until they are there, `OUT.checkpoint`
            beside it holds every training, done or under way.
        resume: resume from the checkpoint that an interrupted sweep to `out` left. Other `dims` and `seeds` may be
            asked for, and what was trained is not trained again (on a GPU, which trains all `dims` as one: only if
            these are the same).
        jobs: trainings at a time, each in a process of its own (joblib's `n_jobs`: -1 for one per core). With the same
            number of threads, they give the same results as one after the other. On a GPU, the plain autoencoders of
            one seed are one training unless `jobs` says otherwise; what rounding changes in them is within the noise
            of seeds.
        on_row: called after every training, in the order of seeds and dims.

    The labels only score the detectors. They choose nothing but `Sweep.best`, which nobody has in practice.

    Returns:
        A row and a detector for every training.

    Warns with `FitWarning` before any training if there can be no AUC.

    Raises:
        DataError: as for `fit`; and labels that don't fit the test images.
        ValueError: an argument out of its range.
        FileExistsError: as for `fit`.
        CheckpointError: as for `fit`.
    """
    from joblib import Parallel, cpu_count, delayed

    dims, seeds = whole_numbers(dims, "dims", 1), whole_numbers(seeds, "seeds", 0)
    if not is_whole(jobs, -cpu_count()) or jobs == 0:
        raise ValueError(f"jobs={jobs!r}; expected a whole number of at least 1, or -1: one per core")
    if not isinstance(model, str) or model not in MODELS:
        raise ValueError(f"model={model!r}; expected one of {', '.join(MODELS)}")
    for d in dims:
        FitOptions(latent_dim=d, image_size=image_size, epochs=epochs)
    target = resolve_device(device)
    checkpoint = None
    if resume and out is None:
        raise ValueError("resume=True without out; give the folder that the interrupted sweep was to write")
    if out is not None:
        out = as_path(out, "out")
        checkpoint = Checkpoint(Path(out), resume=resume)
        # it may have been interrupted after the tables were there
        check_new_folder(Path(out), replaceable=FILES if checkpoint.resumes else ())
    options: dict[str, Any] = {
        "image_size": image_size,
        "select": select,
        "include": include,
        "exclude": exclude,
        "skip_unreadable": skip_unreadable,
        "progress": progress,
    }
    images = without_constant(read(train, split="train", **options), skip_unreadable)
    check_code_length(max(dims), images.pixels[0].numel())
    tests = test_images(train, test, labels, options | {"channels": images.pixels.shape[1]})
    if tests is None or not {0, 1} <= set(tests.labels.tolist()):
        warnings.warn(
            "there can be no AUC, as there are no test images labelled normal and abnormal: give test images with "
            "labels (a folder with data.json, or with test/good and test/DEFECT; test= and labels= of entropix.sweep), "
            "or let fit choose d, which needs none",
            FitWarning,
            stacklevel=2,
        )
    parameters = {"image_size": image_size, "epochs": epochs, "device": device}
    score = partial(scored, tests=tests, parameters=parameters)

    shown = progress and jobs == 1

    def prepared() -> Iterator[tuple[TrainingData, int, ForeignNetwork, dict[str, Any]]]:
        for seed in seeds:
            data = TrainingData.from_images(images, seed, target)
            if checkpoint is not None:
                checkpoint.begin(to_resume(images, epochs) | {"model": model})
            n_epochs = default_epochs(len(data.train), PAPER_PRESENTATIONS) if epochs is None else int(epochs)
            network = learn_network(data, n_epochs, seed, shown, checkpoint, f"foreign-content-seed{seed}")
            yield data, seed, network, settings(images, n_epochs, seed, target) | {"model": model}

    if _is_batched(target, model, dims, jobs):
        results = (
            score(fitted, data, d, seed, about)
            for data, seed, network, about in prepared()
            for d, fitted in _fit_batched(data, dims, seed, network, about["epochs"], checkpoint, shown)
        )
    else:
        train_one = partial(_train, score=score, model=model, checkpoint=checkpoint, progress=shown)
        tasks = (
            delayed(train_one)(data, d, seed, network, about) for data, seed, network, about in prepared() for d in dims
        )
        results = Parallel(n_jobs=jobs, return_as="generator")(tasks)

    rows, detectors, masks = [], {}, {}
    with nullcontext() if checkpoint is None else checkpoint.kept():
        for detector, row, located in results:
            detectors[row.latent_dim, row.seed], masks[row.latent_dim, row.seed] = detector, located
            rows.append(row)
            if on_row is not None:
                on_row(row)
        about = settings(images, detector.settings_["epochs"], seeds[0], target)
        result = Sweep(rows, detectors, about | {"seeds": seeds, "model": model}, masks)
        if out is not None:
            result.write(Path(out))
    return result


def _is_batched(device: torch.device, model: str, dims: Sequence[int], jobs: int) -> bool:
    """Whether all d of a seed are one training. A GPU waits for kernels to be launched, a processor never waits."""
    return device.type == "cuda" and model == "ae" and len(dims) > 1 and jobs == 1


def _fit_batched(
    data: TrainingData,
    dims: Sequence[int],
    seed: int,
    network: ForeignNetwork,
    epochs: int,
    checkpoint: Checkpoint | None,
    progress: bool,
) -> Iterator[tuple[int, Fitted]]:
    """All d of one seed, trained as one network."""
    name = f"d{'-'.join(map(str, dims))}-seed{seed}"
    bar = Progress(f"sweep, {len(dims)} d, seed {seed}", epochs, enabled=progress)
    return zip(dims, fit_batched(data, dims, epochs, seed, bar, network, checkpoint, name), strict=True)


def _train(
    data: TrainingData,
    d: int,
    seed: int,
    network: ForeignNetwork,
    about: dict[str, Any],
    *,
    score: Callable[..., tuple[EntropixDetector, SweepRow, Located]],
    model: str,
    checkpoint: Checkpoint | None,
    progress: bool,
) -> tuple[EntropixDetector, SweepRow, Located]:
    """One training, scored; on its own, so that another process can do it."""
    epochs = about["epochs"]
    bar = Progress(f"sweep, d = {d}, seed {seed}", epochs, enabled=progress)
    fitted = fit_fixed(
        data,
        d,
        epochs,
        seed,
        bar,
        network,
        paper=True,
        kind=MODELS[model],
        checkpoint=checkpoint,
        name=f"d{d}-seed{seed}",
    )
    return score(fitted, data, d, seed, about)
