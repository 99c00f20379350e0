"""Learning from images: split, train, choose d, model residuals and codes, calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from entropix._utils import Progress, in_batches, resolve_device, seeded
from entropix.data import ImageSet, ImageView
from entropix.detector._circumstances import default_epochs, deterministic, settings, to_resume
from entropix.detector._fitted import Fitted
from entropix.detector._watch import Watch
from entropix.models import ARCHITECTURES, Autoencoder, BaseAutoencoder, ImageAutoencoder, VariationalAutoencoder
from entropix.options import FitOptions
from entropix.scoring import (
    LEARNT_IMAGES,
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
    squared_error,
    train,
    without_constant,
)

DIMS = (1, 2, 4, 8, 16, 32, 64, 128)  # the paper's candidates


def fit_images(data: ImageSet, options: FitOptions, checkpoint: Checkpoint | None) -> Fitted:
    """Learn from normal images.

    Args:
        data: normal images.
        options: options of the fit.
        checkpoint: keeps the state of the training.

    Raises:
        DataError: constant or too few images.
    """
    data = without_constant(data, options.skip_unreadable)
    device, seed = resolve_device(options.device), int(options.seed)
    prepared = TrainingData.from_images(data, seed, device)
    epochs = default_epochs(len(prepared.train)) if options.epochs is None else int(options.epochs)
    if checkpoint is not None:
        method = (
            {"strategy": options.strategy} if options.latent_dim == "auto" else {"latent_dim": int(options.latent_dim)}
        )
        checkpoint.begin(method | to_resume(data, epochs) | {"seed": seed, "architecture": options.architecture})
    bar = Progress("training", epochs, options.progress, options.on_epoch)
    kind = _architecture(options.architecture)
    if options.latent_dim == "auto":
        fitted = _fit_auto(prepared, kind, options.strategy, epochs, seed, bar, checkpoint)
        fitted.settings |= {"strategy": options.strategy, "latent_dim": "auto"}
    else:
        d = int(options.latent_dim)
        fitted = fit_fixed(prepared, d, epochs, seed, bar, kind=kind, paper=False, checkpoint=checkpoint)
        fitted.settings["latent_dim"] = d
    fitted.settings |= settings(data, epochs, seed, device) | {"architecture": options.architecture}
    return fitted


def _architecture(name: str) -> type[ImageAutoencoder]:
    kind = ARCHITECTURES[name]
    assert issubclass(kind, ImageAutoencoder)  # `FitOptions` has checked
    return kind


def fit_fixed(
    data: TrainingData,
    latent_dim: int,
    epochs: int,
    seed: int,
    bar: Progress,
    *,
    kind: type[ImageAutoencoder] = Autoencoder,
    paper: bool,
    checkpoint: Checkpoint | None = None,
    name: str = "training",
) -> Fitted:
    """Train an autoencoder of one d, and learn the models of its residuals and codes.

    Args:
        data: images.
        latent_dim: d.
        epochs: passes over the training images.
        seed: seed of the weights and of the order of the images.
        bar: shows the epochs.
        kind: its architecture; a `VariationalAutoencoder` is trained as one, and used as a plain one afterwards.
        paper: take the paper's recipe (squared error, constant learning rate), otherwise that of `entropix.fit`.
        checkpoint: keeps the state of the training.
        name: name of this training in the checkpoint.
    """
    model = untrained(kind, data, latent_dim, seed)
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


def untrained(kind: type[ImageAutoencoder], data: TrainingData, latent_dim: int, seed: int) -> ImageAutoencoder:
    """Return an autoencoder for the images, on their device, with the weights that `seed` draws."""
    with seeded(seed):
        return kind(latent_dim, data.channels, data.image_size).to(data.train.device)


def _fit_auto(
    data: TrainingData,
    kind: type[ImageAutoencoder],
    strategy: str,
    epochs: int,
    seed: int,
    bar: Progress,
    checkpoint: Checkpoint | None,
) -> Fitted:
    def build(latent_dim: int) -> ImageAutoencoder:
        return untrained(kind, data, latent_dim, seed)

    with bar, deterministic():
        watch = Watch(bar, data.held_out, len(data.train), epochs)
        adapted = STRATEGIES[strategy](data, build, epochs=epochs, seed=seed, on_epoch=watch, checkpoint=checkpoint)
    fitted = finish(adapted.model, data, adapted.history, seed)
    fitted.entropy = adapted.entropy
    fitted.curve = [point.to_dict() for point in adapted.curve]
    fitted.reason = adapted.reason
    return fitted


def finish(model: ImageAutoencoder, data: TrainingData, losses: list[float], seed: int) -> Fitted:
    """Learn what comes after the training: the models of residuals and codes, and the calibration.

    Args:
        model: the trained autoencoder.
        data: the images that it was trained on, and the held-out ones.
        losses: mean training loss of each epoch.
        seed: seed of the scale network (`entropix.scoring.learn_scale`).
    """
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
    model: BaseAutoencoder,
    fit: FitResiduals,
    *,
    train: Tensor | ImageView,
    held_out: Tensor,
    groups: Sequence[str],
) -> Fitted:
    """Fit the models of residuals and codes of a trained autoencoder, and calibrate them on held-out normal inputs.

    Args:
        model: the trained autoencoder.
        fit: fits a model of residuals.
        train: (N, ...) distinct training inputs, in random order.
        held_out: (n, ...) held-out inputs.
        groups: patient, volume or name of each held-out input.
    """
    codes = in_batches(model.encode, train)
    z = in_batches(model.encode, held_out)
    known = HeldOut(held_out, in_batches(model.decode, z), z, groups)
    residual, latent = fit(known.x, known.x_hat), LatentModel.fit(codes, known.z)
    return Fitted(model, residual, latent, calibrate(known, fit, residual, latent))
