"""Rivals of the default fit that are trained on a task's images: the anomaly score (n,) of its test images."""

import numpy as np
from rivals.uncertainty import train_uncertainty
from runs import Runs
from tasks import Task
from torch import Tensor

import entropix
from entropix._utils import in_batches
from entropix.data import ImageSet

LATENT_DIM = 16  # as in the paper's Table 2


def vae(task: Task, seed: int, runs: Runs) -> np.ndarray:
    """The squared error of a variational autoencoder."""
    result = entropix.sweep(
        task.train,
        dims=(LATENT_DIM,),
        seeds=(seed,),
        model="vae",
        epochs=runs.epochs_of(task),
        image_size=task.image_size,
        device=runs.device,
        progress=False,
    )
    return result.detector(LATENT_DIM, seed).anomaly_score(task.test, "residual")


def uncertainty(task: Task, seed: int, runs: Runs) -> np.ndarray:
    """The relative error of AE-U."""
    train = runs.prepare(task, seed).train[:]
    model = train_uncertainty(train, LATENT_DIM, epochs=runs.epochs_of(task), seed=seed)
    relative = in_batches(lambda x: model.terms(x)[0], scaled(task.test).to(train.device))
    return relative.flatten(1).mean(1).cpu().numpy()


def scaled(images: ImageSet) -> Tensor:
    """(n, c, s, s) on [-1, 1]."""
    return images.scaled() * 2 - 1
