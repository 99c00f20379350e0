"""What a detector learns from images: split, train, choose d, model what is left over, calibrate."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from entropix._utils import Epoch, Progress, in_batches
from entropix._version import __version__
from entropix.data import ImageSet, ImageView, Standard
from entropix.detector._watch import Watch
from entropix.estimators import Entropy
from entropix.models import STRIDE, Autoencoder, DenseAutoencoder, VariationalAutoencoder
from entropix.scoring import (
    LEARNT_IMAGES,
    Calibration,
    FeatureModel,
    FitResiduals,
    HeldOut,
    LatentModel,
    ResidualModel,
    calibrate,
    learn_scale,
)
from entropix.strategies import STRATEGIES
from entropix.training import (
    Checkpoint,
    Objective,
    RelativeError,
    TrainingData,
    hash_of,
    parallel,
    squared_error,
    train,
    without_constant,
)

DIMS = (1, 2, 4, 8, 16, 32, 64, 128)  # the paper's candidates
PRESENTATIONS = 250_000  # the paper's 250 epochs, for a thousand images


@dataclass
class Fitted:
    """What is learnt from normal images or vectors; the attributes of a detector, each with a trailing underscore.

    value_range: of raw training images (`ImageSet.value_range`); standard: the scaling of vectors, None for images.
    """

    model: Autoencoder | DenseAutoencoder
    residual_model: ResidualModel | FeatureModel
    latent_model: LatentModel
    calibration: Calibration
    value_range: tuple[float, float] | None = None
    standard: Standard | None = None
    entropy: Entropy | None = None
    reason: str = ""
    curve: list[dict[str, float]] = field(default_factory=list)
    history: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


def fit_images(
    data: ImageSet,
    *,
    latent_dim: int | str,
    strategy: str,
    epochs: int | None,
    seed: int,
    device: torch.device,
    progress: bool,
    skip_unreadable: bool,
    on_epoch: Callable[[Epoch], None] | None,
    checkpoint: Checkpoint | None,
) -> Fitted:
    """Learn from normal images; the arguments are those of `entropix.fit`."""
    data = without_constant(data, skip_unreadable)
    prepared = TrainingData.from_images(data, seed, device)
    epochs = default_epochs(len(prepared.train)) if epochs is None else int(epochs)
    auto = latent_dim == "auto"
    if checkpoint is not None:
        method = {"strategy": strategy} if auto else {"latent_dim": int(latent_dim)}
        checkpoint.begin(method | to_resume(data, epochs) | {"seed": seed})
    bar = Progress("training", epochs, progress, on_epoch)
    fitted = (
        _fit_auto(prepared, strategy, epochs, seed, bar, checkpoint)
        if auto
        else fit_fixed(prepared, int(latent_dim), epochs, seed, bar, paper=False, checkpoint=checkpoint)
    )
    fitted.settings |= settings(data, epochs, seed, device)
    if auto:
        fitted.settings["strategy"] = strategy
    fitted.settings["latent_dim"] = latent_dim if auto else int(latent_dim)
    return fitted


def to_resume(data: ImageSet, epochs: int | None) -> dict[str, Any]:
    """What must be the same for a training to be gone on with, beside its own settings."""
    images = hash_of(data.pixels, data.groups)
    return {"images": images, "epochs": epochs, "devices": parallel.processes(), "entropix": __version__}


def fit_fixed(
    data: TrainingData,
    latent_dim: int,
    epochs: int,
    seed: int,
    bar: Progress,
    *,
    paper: bool,
    variational: bool = False,
    checkpoint: Checkpoint | None = None,
    name: str = "training",
) -> Fitted:
    """The paper's autoencoder of one d, or its variational one, with the models of its residuals and codes.

    paper: the paper's recipe (squared error, constant learning rate), otherwise that of `entropix.fit`.
    checkpoint: where the training keeps its state, under `name`.
    """
    model = untrained(VariationalAutoencoder if variational else Autoencoder, data, latent_dim, seed)
    if isinstance(model, VariationalAutoencoder):
        objective: Objective = model.negative_elbo
    else:
        objective = squared_error(model) if paper else RelativeError(model)
    with bar, deterministic():
        losses = train(
            model,
            data.train,
            objective,
            epochs=epochs,
            seed=seed,
            one_cycle=not paper,
            on_epoch=Watch(bar, data.held_out, len(data.train), epochs),
            checkpoint=checkpoint,
            name=name,
        )
    return finish(model.plain() if isinstance(model, VariationalAutoencoder) else model, data, losses, seed)


def untrained(kind: type[Autoencoder], data: TrainingData, latent_dim: int, seed: int) -> Autoencoder:
    """An autoencoder for the images, on their device, with the weights that `seed` draws."""
    with seeded(seed):
        return kind(latent_dim, data.channels, data.image_size).to(data.train.device)


def _fit_auto(
    data: TrainingData, strategy: str, epochs: int, seed: int, bar: Progress, checkpoint: Checkpoint | None
) -> Fitted:
    with bar, seeded(seed), deterministic():
        watch = Watch(bar, data.held_out, len(data.train), epochs)
        adapted = STRATEGIES[strategy](data, epochs=epochs, seed=seed, on_epoch=watch, checkpoint=checkpoint)
    fitted = finish(adapted.model, data, adapted.history, seed)
    fitted.entropy = adapted.entropy
    fitted.curve = [point.to_dict() for point in adapted.curve]
    fitted.reason = adapted.reason
    return fitted


def finish(model: Autoencoder, data: TrainingData, losses: list[float], seed: int) -> Fitted:
    """What is learnt after the training: the models of residuals and codes, and the calibration."""
    known = data.distinct[:LEARNT_IMAGES]
    with deterministic():
        network = learn_scale(known, in_batches(model, known), seed)
    fit = partial(ResidualModel.fit, network=network)
    fitted = model_scores(model, fit, train=data.distinct, held_out=data.held_out, groups=data.held_out_groups)
    fitted.value_range, fitted.history = data.value_range, losses
    fitted.settings = {
        "n_images": data.n,
        "n_distinct": data.n_distinct,
        "n_train": len(data.train),
        "n_held_out": len(data.held_out),
    }
    return fitted


def model_scores(
    model: Autoencoder | DenseAutoencoder,
    fit: FitResiduals,
    *,
    train: Tensor | ImageView,
    held_out: Tensor,
    groups: Sequence[str],
) -> Fitted:
    """The models of residuals and codes of a trained autoencoder, and what held-out normal inputs score by them.

    fit: of residuals; train: (N, ...) distinct training inputs, in random order; held_out: (n, ...), groups: of each.
    """
    codes = in_batches(model.encode, train)
    z = in_batches(model.encode, held_out)
    known = HeldOut(held_out, in_batches(model.decode, z), z, groups)
    residual, latent = fit(known.x, known.x_hat), LatentModel.fit(codes, known.z)
    return Fitted(model, residual, latent, calibrate(known, fit, residual, latent))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from `seed`, and the caller's as they were afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def deterministic() -> AbstractContextManager[None]:
    """cuDNN's algorithms may otherwise differ from run to run."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


def default_epochs(n: int) -> int:
    """Passes over n training images that show 250,000 images in all, between 25 and 600 (the paper's most)."""
    return min(600, max(25, round(PRESENTATIONS / n)))


def settings(data: ImageSet, epochs: int, seed: int, device: torch.device) -> dict[str, Any]:
    """What it takes to repeat a fit."""
    unreadable = [list(entry) for entry in data.unreadable]
    read = {"data": data.source, "select": asdict(data.select), "unreadable": unreadable}
    return read | circumstances(epochs, seed, device)


def circumstances(epochs: int, seed: int, device: torch.device) -> dict[str, Any]:
    """Settings and versions that a result depends on beside the data."""
    return {
        "epochs": epochs,
        "seed": seed,
        "device": str(device),
        "devices": parallel.processes(),
        "entropix": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def check_arguments(latent_dim: int | str, image_size: int, epochs: int | None, strategy: str = "select") -> None:
    """Raise ValueError for what would fail only after the images were read."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r}; expected one of {', '.join(STRATEGIES)}")
    if not (isinstance(image_size, int | np.integer) and image_size > 0 and image_size % STRIDE == 0):
        raise ValueError(f"image_size={image_size!r}; expected a multiple of {STRIDE}")
    if latent_dim != "auto" and not (isinstance(latent_dim, int | np.integer) and latent_dim >= 1):
        raise ValueError(f"latent_dim={latent_dim!r}; expected 'auto' or a whole number of at least 1")
    if epochs is not None and not (isinstance(epochs, int | np.integer) and epochs >= 1):
        raise ValueError(f"epochs={epochs!r}; expected a whole number of at least 1, or None")
