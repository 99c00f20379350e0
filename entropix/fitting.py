"""`entropix.fit`: images in, fitted detector out."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import entropix
from entropix import storage
from entropix.batches import in_batches
from entropix.console import Progress
from entropix.data import DataError, ImageSet, read
from entropix.detector import EntropixDetector
from entropix.device import resolve_device
from entropix.models import Autoencoder, NestedAutoencoder
from entropix.models.autoencoder import STRIDE
from entropix.models.vae import VariationalAutoencoder
from entropix.scoring import LatentModel, ResidualModel
from entropix.selection import Curve, choose
from entropix.split import split
from entropix.training import BATCH_SIZE as TRAINING_BATCH
from entropix.training import NestedError, squared_error, train

DIMS = (1, 2, 4, 8, 16, 32, 64, 128)  # the paper's candidates
PRESENTATIONS = 250_000  # the paper's 250 epochs, for a thousand images
FEWEST_HELD_OUT = 16


class FitWarning(UserWarning):
    """Something about the data that the fit went on with."""


@dataclass(frozen=True)
class Prepared:
    """Images on [-1, 1] on the device, split."""

    train: Tensor  # (n_train, c, s, s), twins included
    distinct: Tensor  # (n_distinct, c, s, s): the distinct images of train, in random order
    held_out: Tensor  # (n_held_out, c, s, s), distinct, in random order
    value_range: tuple[float, float] | None
    n: int
    n_distinct: int
    channels: int


def fit(
    dataset: Any,
    *,
    latent_dim: int | str = "auto",
    image_size: int = 64,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
    out: str | Path | None = None,
    progress: bool = True,
    skip_unreadable: bool = False,
    overwrite: bool = False,
) -> EntropixDetector:
    """Fit an anomaly detector to normal images; the size of its code is chosen from them too.

    Args:
        dataset: normal images: a folder, file, archive, array, tensor, list or torch `Dataset`
            (`entropix.data.read` lists all). Images that are labelled abnormal are left out.
        latent_dim: d, or "auto": train one nested autoencoder, measure every d of 1, 2, 4, ..., 128 and keep the
            one where the code holds what normal images have in common and not more (`entropix.selection`).
        image_size: images are resized to image_size x image_size pixels, a multiple of 16.
        epochs: passes over the training images. None: as many as show 250,000 images, between 25 and 600 passes.
        seed: of the split, the initial weights and the order of the images. The same seed, data, device and
            versions give the same detector.
        device: "auto", "cpu", "cuda" or "cuda:N".
        out: folder to save the detector to, checked before any work and written at the end.
        progress: show a progress bar on standard error, if that is a terminal.
        skip_unreadable: leave out files that cannot be read, and images of one constant value.
        overwrite: let `out` be a folder that already holds a model.

    Raises:
        DataError: unreadable, constant or too few images; the message says what to do.
        ValueError: an argument out of its range.
        FileExistsError: `out` is in use.
    """
    check_arguments(latent_dim, image_size, epochs)
    seed = int(seed)
    target = resolve_device(device)
    if out is not None:
        storage.check_free(Path(out), overwrite)
    data = read(dataset, image_size=image_size, skip_unreadable=skip_unreadable, progress=progress)
    data = without_constant(data, skip_unreadable)
    prepared = prepare(data, seed, target)
    epochs = default_epochs(len(prepared.train)) if epochs is None else int(epochs)
    bar = Progress("training", epochs, enabled=progress)
    detector = (
        _fit_nested(prepared, epochs, seed, bar)
        if latent_dim == "auto"
        else fit_fixed(prepared, int(latent_dim), epochs, seed, bar, one_cycle=True)
    )
    detector.settings_ |= settings(data, epochs, seed, target)
    detector.settings_["latent_dim"] = latent_dim if latent_dim == "auto" else int(latent_dim)
    if out is not None:
        detector.save(out, overwrite=overwrite)
    return detector


def without_constant(data: ImageSet, skip: bool) -> ImageSet:
    """The images that are not of one value; the others are an error, or skipped and listed in `unreadable`."""
    constant = data.constant()
    if not len(constant):
        return data
    if len(constant) == len(data) or not skip:
        names = ", ".join(data.names[i] for i in constant[:5]) + (", ..." if len(constant) > 5 else "")
        raise DataError(
            f"{data.source}: {len(constant)} of {len(data)} images have one constant value and show nothing: {names}. "
            "Remove them, or leave them out with skip_unreadable=True (--skip-unreadable)"
        )
    left_out = [(data.names[i], "all pixels have one value") for i in constant]
    kept = data.subset(np.setdiff1d(np.arange(len(data)), constant))
    return replace(kept, unreadable=[*data.unreadable, *left_out])


def prepare(data: ImageSet, seed: int, device: torch.device) -> Prepared:
    """Scale and split images for training, if there are enough."""
    value_range = data.value_range()
    images = data.scaled(value_range) * 2 - 1
    if len(images) < TRAINING_BATCH + FEWEST_HELD_OUT:
        raise DataError(
            f"{data.source}: {len(images)} images; at least {TRAINING_BATCH + FEWEST_HELD_OUT} are needed: "
            f"{TRAINING_BATCH} to train on (one batch) and {FEWEST_HELD_OUT} to hold out"
        )
    training, held_out, distinct = split(images, data.groups, seed)
    n_training = len(np.intersect1d(training, distinct))
    if n_training < TRAINING_BATCH or len(held_out) < FEWEST_HELD_OUT:
        raise DataError(
            f"{data.source}: {len(images)} images in {len(set(data.groups))} groups, {len(distinct)} of them distinct, "
            f"leave {n_training} for training and {len(held_out)} held out; at least {TRAINING_BATCH} and "
            f"{FEWEST_HELD_OUT} are needed: add images of other patients or volumes"
        )
    n_merged = len(images) - len(distinct)
    if n_merged:
        warnings.warn(
            f"{n_merged} of {len(images)} images are copies or near-copies of others; they are kept for training, and "
            "entropies are taken over the distinct ones",
            FitWarning,
            stacklevel=3,
        )
    images = images.to(device)
    return Prepared(
        train=images[training],
        distinct=images[np.random.default_rng(seed).permutation(np.intersect1d(training, distinct))],
        held_out=images[np.random.default_rng(seed).permutation(held_out)],
        value_range=value_range,
        n=len(images),
        n_distinct=len(distinct),
        channels=images.shape[1],
    )


def fit_fixed(
    data: Prepared,
    latent_dim: int,
    epochs: int,
    seed: int,
    bar: Progress,
    *,
    one_cycle: bool,
    variational: bool = False,
) -> EntropixDetector:
    """The paper's autoencoder of one d, or its variational one, with the models of its residuals and codes."""
    kind = VariationalAutoencoder if variational else Autoencoder
    with _seeded(seed):
        model = kind(latent_dim, data.channels, data.train.shape[-1]).to(data.train.device)
    objective = model.negative_elbo if isinstance(model, VariationalAutoencoder) else squared_error(model)
    with bar, _deterministic():
        losses = train(model, data.train, objective, epochs=epochs, seed=seed, one_cycle=one_cycle, on_epoch=bar.epoch)
    return _finish(model.plain() if isinstance(model, VariationalAutoencoder) else model, data, losses)


def _fit_nested(data: Prepared, epochs: int, seed: int, bar: Progress) -> EntropixDetector:
    with _seeded(seed):
        nested = NestedAutoencoder(DIMS, data.channels, data.train.shape[-1]).to(data.train.device)
    with bar, _deterministic():
        losses = train(
            nested, data.train, NestedError(nested), epochs=epochs, seed=seed, one_cycle=True, on_epoch=bar.epoch
        )
        bar.message("choosing d")
        curve = Curve(data.distinct, data.held_out, seed)
        points = curve.measure(nested)
    choice = choose(points, curve.entropy)
    detector = _finish(nested.truncate(choice.latent_dim), data, losses)
    detector.entropy_ = curve.entropy
    detector.curve_ = [point.to_dict() for point in points]
    detector.reason_ = choice.reason
    return detector


def _finish(model: Autoencoder, data: Prepared, losses: list[float]) -> EntropixDetector:
    residual = ResidualModel.fit(data.held_out, in_batches(model, data.held_out))
    latent = LatentModel.fit(in_batches(model.encode, data.distinct), in_batches(model.encode, data.held_out))
    counts = {
        "n_images": data.n,
        "n_distinct": data.n_distinct,
        "n_train": len(data.train),
        "n_held_out": len(data.held_out),
    }
    return EntropixDetector(model, residual, latent, data.value_range, history_=losses, settings_=dict(counts))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from `seed`, and the caller's as they were afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _deterministic() -> AbstractContextManager[None]:
    """cuDNN's algorithms may otherwise differ from run to run."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


def default_epochs(n: int) -> int:
    """Passes over n training images that show 250,000 images in all, between 25 and 600 (the paper's most)."""
    return min(600, max(25, round(PRESENTATIONS / n)))


def settings(data: ImageSet, epochs: int, seed: int, device: torch.device) -> dict[str, Any]:
    """What it takes to repeat a fit."""
    return {
        "data": data.source,
        "unreadable": [list(entry) for entry in data.unreadable],
        "epochs": epochs,
        "seed": seed,
        "device": str(device),
        "entropix": entropix.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def check_arguments(latent_dim: int | str, image_size: int, epochs: int | None) -> None:
    """Raise ValueError for what would fail only after the images were read."""
    if not (isinstance(image_size, int | np.integer) and image_size > 0 and image_size % STRIDE == 0):
        raise ValueError(f"image_size={image_size!r}; expected a multiple of {STRIDE}")
    if latent_dim != "auto" and not (isinstance(latent_dim, int | np.integer) and latent_dim >= 1):
        raise ValueError(f"latent_dim={latent_dim!r}; expected 'auto' or a whole number of at least 1")
    if epochs is not None and not (isinstance(epochs, int | np.integer) and epochs >= 1):
        raise ValueError(f"epochs={epochs!r}; expected a whole number of at least 1, or None")
