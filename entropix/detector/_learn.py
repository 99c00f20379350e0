"""Learning from images: split, train, choose d, model residuals and codes, calibrate."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from entropix._utils import Progress, in_batches, resolve_device, seeded
from entropix.data import ImageSet
from entropix.detector._circumstances import default_epochs, deterministic, settings, to_resume
from entropix.detector._fitted import Fitted
from entropix.detector._watch import Watch
from entropix.exceptions import FitWarning
from entropix.models import ARCHITECTURES, Autoencoder, BaseAutoencoder, ImageAutoencoder, VariationalAutoencoder
from entropix.ops import reconstruction_error
from entropix.options import FitOptions, check_code_length
from entropix.scoring import (
    ActivationModel,
    FeatureModel,
    ForeignNetwork,
    HeldOut,
    LatentModel,
    Outputs,
    ResidualModel,
    calibrate,
    learn_foreign_content,
    statistics,
)
from entropix.selection import has_not_learnt, worse_than_mean
from entropix.strategies import STRATEGIES
from entropix.training import (
    Checkpoint,
    Fingerprints,
    Objective,
    RelativeError,
    Slices,
    TrainingData,
    corrupted,
    squared_error,
    train,
    without_constant,
)

MOST_REFERENCES = 20_000  # training images that the activations' density is fitted to
DIMS = (1, 2, 4, 8, 16, 32, 64, 128)  # the paper's candidates
FOREIGN_CONTENT = "foreign-content"  # name of the training of that network in checkpoints


def fit_images(data: ImageSet, options: FitOptions, checkpoint: Checkpoint | None) -> Fitted:
    """Learn from normal images.

    Args:
        data: normal images.
        options: options of the fit.
        checkpoint: keeps the state of the training.

    Raises:
        DataError: constant or too few images.
        ValueError: a latent dimension above the number of values of an image.
    """
    data = without_constant(data, options.skip_unreadable)
    device, seed = resolve_device(options.device), int(options.seed)
    prepared = TrainingData.from_images(data, seed, device)
    if options.latent_dim != "auto":
        check_code_length(int(options.latent_dim), prepared.channels * prepared.image_size**2, len(prepared.distinct))
    epochs = default_epochs(len(prepared.train)) if options.epochs is None else int(options.epochs)
    if checkpoint is not None:
        method = (
            {"strategy": options.strategy} if options.latent_dim == "auto" else {"latent_dim": int(options.latent_dim)}
        )
        checkpoint.begin(method | to_resume(data, epochs) | {"seed": seed, "architecture": options.architecture})
    network = learn_network(prepared, epochs, seed, options.progress, checkpoint)
    bar = Progress("training", epochs, options.progress, options.on_epoch)
    kind = _architecture(options.architecture)
    if options.latent_dim == "auto":
        fitted = _fit_auto(prepared, kind, options.strategy, epochs, seed, bar, network, checkpoint)
        fitted.settings |= {"strategy": options.strategy, "latent_dim": "auto"}
    else:
        d = int(options.latent_dim)
        fitted = fit_fixed(prepared, d, epochs, seed, bar, network, kind=kind, paper=False, checkpoint=checkpoint)
        fitted.settings["latent_dim"] = d
        error = _held_out_error(fitted.model, prepared.held_out)
        _say_if_too_short(fitted, epochs, prepared, worse_than_mean(error, prepared.distinct, prepared.held_out))
    fitted.settings |= settings(data, epochs, seed, device) | {"architecture": options.architecture}
    return fitted


def _architecture(name: str) -> type[ImageAutoencoder]:
    kind = ARCHITECTURES[name]
    assert issubclass(kind, ImageAutoencoder)  # `FitOptions` has checked
    return kind


def learn_network(
    data: TrainingData,
    epochs: int,
    seed: int,
    progress: bool,
    checkpoint: Checkpoint | None = None,
    name: str = FOREIGN_CONTENT,
) -> ForeignNetwork:
    """Train the network that learns to find foreign content in normal images, which every d has in common.

    Args:
        data: images.
        epochs: passes over the training images; it has enough of them when it has seen what a fit shows by default.
        seed: seed of the weights, the order and the foreign content.
        progress: show a progress bar.
        checkpoint: keeps the state of the training.
        name: name of this training in the checkpoint.
    """
    epochs = min(epochs, default_epochs(len(data.distinct)))
    with Progress("foreign content", epochs, progress) as bar, deterministic():
        return learn_foreign_content(
            data.distinct,
            epochs=epochs,
            seed=seed,
            on_epoch=lambda epoch, loss, _: bar.epoch(epoch, loss),
            checkpoint=checkpoint,
            name=name,
        )


def fit_fixed(
    data: TrainingData,
    latent_dim: int,
    epochs: int,
    seed: int,
    bar: Progress,
    network: ForeignNetwork,
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
        network: the foreign-content network.
        kind: its architecture; a `VariationalAutoencoder` is trained as one, and used as a plain one afterwards.
        paper: take the paper's recipe (squared error, constant learning rate), otherwise that of `entropix.fit`.
        checkpoint: keeps the state of the training.
        name: name of this training in the checkpoint.
    """
    model = untrained(kind, data, latent_dim, seed)
    if isinstance(model, VariationalAutoencoder):
        objective: Objective = model.negative_elbo
    else:
        objective = squared_error(model) if paper else RelativeError(model, corrupted)
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
    return finish(model.plain() if isinstance(model, VariationalAutoencoder) else model, data, losses, network)


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
    network: ForeignNetwork,
    checkpoint: Checkpoint | None,
) -> Fitted:
    def build(latent_dim: int) -> ImageAutoencoder:
        return untrained(kind, data, latent_dim, seed)

    with bar, deterministic():
        watch = Watch(bar, data.held_out, len(data.train), epochs)
        adapted = STRATEGIES[strategy](data, build, epochs=epochs, seed=seed, on_epoch=watch, checkpoint=checkpoint)
    fitted = finish(adapted.model, data, adapted.history, network)
    fitted.entropy = adapted.entropy
    fitted.curve = [point.to_dict() for point in adapted.curve]
    fitted.reason = adapted.reason
    shown = has_not_learnt(adapted.curve, adapted.entropy, data.distinct, data.held_out)
    _say_if_too_short(fitted, epochs, data, shown)
    return fitted


def _held_out_error(model: nn.Module, images: Tensor) -> float:
    return in_batches(lambda x: reconstruction_error(x, model(x)), images).mean().item()


def _say_if_too_short(fitted: Fitted, epochs: int, data: TrainingData, shown: str | None) -> None:
    """Warn, and let the model remember, that the training was too short, if there is something that shows it.

    How many epochs would do is not known. What is named is the default, which was enough for all sets that we tried, or
    twice as many as there were.
    """
    if shown is None:
        return
    enough = max(2 * epochs, default_epochs(len(data.train)))
    fitted.settings["enough_epochs"] = enough
    chosen = f". So d = {fitted.model.latent_dim} says nothing about them" if fitted.entropy is not None else ""
    told = (
        f"{epochs} epochs were too few for this autoencoder to learn these images: {shown}{chosen}; fit again with "
        f"epochs={enough} (--epochs {enough}) and see whether this is said again"
    )
    if chosen:
        fitted.reason = told
    warnings.warn(told, FitWarning, stacklevel=2)


def finish(model: ImageAutoencoder, data: TrainingData, losses: list[float], network: ForeignNetwork) -> Fitted:
    """Learn what comes after the training: the models of residuals and activations, and the calibration.

    Args:
        model: the trained autoencoder.
        data: the images that it was trained on, and the held-out ones.
        losses: mean training loss of each epoch.
        network: the foreign-content network.
    """

    def activations(x: Tensor) -> Tensor:
        return statistics([*model.encode_in_stages(x)[1], *network.activations(x)])

    latent = ActivationModel.fit(in_batches(activations, data.distinct[:MOST_REFERENCES]))
    fitted = model_scores(
        model,
        network,
        ResidualModel,
        latent,
        held_out=data.held_out,
        groups=data.held_out_groups,
        volumes=data.held_out_volumes,
        copies=data.copies,
    )
    fitted.fingerprints = Fingerprints.fit(data.held_out, data.distinct)
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
    network: ForeignNetwork | None,
    kind: type[ResidualModel] | type[FeatureModel],
    latent: ActivationModel | LatentModel,
    *,
    held_out: Tensor,
    groups: Sequence[str],
    volumes: Sequence[str] | None = None,
    copies: Slices | None = None,
) -> Fitted:
    """Fit the model of residuals of a trained autoencoder, and calibrate it on held-out normal inputs.

    Args:
        model: the trained autoencoder.
        network: the trained foreign-content network of images; None for vectors.
        kind: the model of residuals.
        latent: the model of the latent term, fitted on training inputs.
        held_out: (n, ...) held-out inputs.
        groups: patient, volume or name of each held-out input.
        volumes: the volume that each is a slice of, "" if of none; None: they are of none.
        copies: copies of held-out inputs that complete their volumes; no model is fitted to them.
    """
    outputs = Outputs.of_all(held_out, model, network)
    residual, latent = kind.fit(outputs), latent.scaled(latent.measure(outputs))
    volumes = [""] * len(held_out) if volumes is None else volumes
    distinct = np.ones(len(held_out), bool)
    if copies is not None and len(copies.volumes):
        outputs = Outputs.joined(outputs, Outputs.of_all(copies.pixels, model, network))
        groups, volumes = [*groups, *copies.groups], [*volumes, *copies.volumes]
        distinct = np.append(distinct, np.zeros(len(copies.volumes), bool))
    calibration = calibrate(HeldOut(outputs, groups, volumes, distinct), residual, latent)
    return Fitted(model, network, residual, latent, calibration)
