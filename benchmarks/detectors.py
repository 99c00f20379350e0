"""The detectors that `detection.py` compares, each made from a task's training images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from auto_vs_fixed import DIMS
from rivals.shallow import Components, isolation_forest, neighbour_distance, one_class_svm
from rivals.uncertainty import train_uncertainty
from runs import Runs
from tasks import Task
from torch import Tensor

import entropix
from entropix._utils import in_batches
from entropix.data import ImageSet

LATENT_DIM = 16  # of the VAE and AE-U, as in the paper's Table 2


@dataclass(frozen=True)
class Detector:
    """score: (n,) of n images; maps: (n, s, s), None for detectors that know no place."""

    score: Callable[[ImageSet], np.ndarray]
    maps: Callable[[ImageSet], np.ndarray] | None = None


def default_fit(task: Task, seed: int, runs: Runs) -> Detector:
    runs.automatic(task, "select", seed)
    detector = runs.detector(task, "select", seed)
    return Detector(detector.anomaly_score, detector.heatmap)


def default_fit_papers_score(task: Task, seed: int, runs: Runs) -> Detector:
    runs.automatic(task, "select", seed)
    return papers_score(runs.detector(task, "select", seed))


def labelled_sweep(task: Task, seed: int, runs: Runs) -> Detector:
    best = max(runs.sweep(task, DIMS, seed), key=lambda row: row["auc"])
    return papers_score(runs.detector(task, best["latent_dim"], seed))


def vae(task: Task, seed: int, runs: Runs) -> Detector:
    options = {"epochs": runs.epochs_of(task), "image_size": task.image_size, "device": runs.device}
    result = entropix.sweep(task.train, dims=(LATENT_DIM,), seeds=(seed,), model="vae", progress=False, **options)
    return papers_score(result.detector(LATENT_DIM, seed))


def papers_score(detector: entropix.EntropixDetector) -> Detector:
    """Mean squared error of the reconstruction, and the squared error as the map."""

    def maps(images: ImageSet) -> np.ndarray:
        return np.square(detector.reconstruct(images) - images.pixels.numpy()).mean(1)

    return Detector(lambda images: detector.anomaly_score(images, "residual"), maps)


def uncertainty(task: Task, seed: int, runs: Runs) -> Detector:
    train = runs.prepare(task, seed).train[:]
    model = train_uncertainty(train, LATENT_DIM, epochs=runs.epochs_of(task), seed=seed)

    def relative(images: ImageSet) -> np.ndarray:
        return in_batches(lambda x: model.terms(x)[0], pixels(images).to(train.device)).mean(1).cpu().numpy()

    return Detector(lambda images: relative(images).mean((1, 2)), relative)


def pca(task: Task, seed: int, runs: Runs) -> Detector:
    components = Components.of(runs.prepare(task, seed).train[:])
    maps = lambda images: components.squared_residual(pixels(images)).mean(1)  # noqa: E731
    return Detector(lambda images: maps(images).mean((1, 2)), maps)


def forest(task: Task, seed: int, runs: Runs) -> Detector:
    train = runs.prepare(task, seed).train[:]
    components = Components.of(train)
    fitted = isolation_forest(components.features(train), seed)
    return Detector(lambda images: -fitted.score_samples(components.features(pixels(images))))


def svm(task: Task, seed: int, runs: Runs) -> Detector:
    train = runs.prepare(task, seed).train[:]
    components = Components.of(train)
    fitted = one_class_svm(components.features(train))
    return Detector(lambda images: -fitted.score_samples(components.features(pixels(images))))


def neighbours(task: Task, seed: int, runs: Runs) -> Detector:
    train = runs.prepare(task, seed).train[:]
    return Detector(lambda images: neighbour_distance(train, pixels(images).to(train.device)))


def pixels(images: ImageSet) -> Tensor:
    """(n, c, s, s) on [-1, 1]."""
    return images.scaled() * 2 - 1


METHODS: dict[str, Callable[[Task, int, Runs], Detector]] = {
    "default": default_fit,
    "default-papers-score": default_fit_papers_score,
    "labelled-sweep": labelled_sweep,
    "vae": vae,
    "ae-u": uncertainty,
    "pca": pca,
    "isolation-forest": forest,
    "one-class-svm": svm,
    "knn": neighbours,
}
