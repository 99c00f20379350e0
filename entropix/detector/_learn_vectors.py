"""Learning from flat feature vectors: a dense autoencoder, whose code is as long as their intrinsic dimension."""

from __future__ import annotations

import warnings

import numpy as np
from torch import Tensor

from entropix._utils import Progress, in_batches, resolve_device, seeded
from entropix.data import Standard
from entropix.detector._circumstances import PAPER_PRESENTATIONS, circumstances, default_epochs
from entropix.detector._fitted import Fitted
from entropix.detector._learn import model_scores
from entropix.estimators import intrinsic_dimension
from entropix.exceptions import FitWarning
from entropix.models import DenseAutoencoder
from entropix.options import FitOptions, check_code_length
from entropix.scoring import FeatureModel, LatentModel
from entropix.training import Checkpoint, hash_of, split, squared_error, train

FEWEST_DISTINCT = 6  # the density of codes needs five neighbours of each
FEW = 16  # of 20 rows; with fewer the neighbours of a code are no small part of them: a warning, as scikit-learn asks
MOST_FOR_DIMENSION = 2000  # rows; its standard error is then far below one


def fit_vectors(x: Tensor, options: FitOptions, checkpoint: Checkpoint | None) -> Fitted:
    """Learn from normal vectors; latent_dim "auto" stands for their intrinsic dimension, below p.

    Warns with `FitWarning` if fewer than 16 distinct ones are left to train on.

    Args:
        x: vectors (n, p) float64.
        options: options of the fit.
        checkpoint: keeps the state of the training.

    Raises:
        ValueError: too few distinct vectors, or a latent dimension above the number of features.
    """
    device, seed = resolve_device(options.device), int(options.seed)
    standard = Standard.fit(x)
    rows = standard.apply(x)
    training, held_out, distinct = split(rows, [str(i) for i in range(len(rows))], seed)
    distinct = np.random.default_rng(seed).permutation(np.intersect1d(training, distinct))
    if len(distinct) < FEWEST_DISTINCT:
        raise ValueError(
            f"{len(x)} samples leave {len(distinct)} distinct ones to train on; {FEWEST_DISTINCT} are needed: "
            "give more rows that are no copies"
        )
    if len(distinct) < FEW:
        warnings.warn(
            f"{len(x)} rows are too few for d, scores or decisions to be trusted: {len(distinct)} distinct ones to "
            f"train on and {len(held_out)} to calibrate with; give 20 or more that are no copies, better hundreds",
            FitWarning,
            stacklevel=3,
        )
    latent_dim, reason = options.latent_dim, ""
    if latent_dim == "auto":
        dimension = intrinsic_dimension(rows[distinct[:MOST_FOR_DIMENSION]]).value
        latent_dim = int(np.clip(round(dimension), 1, max(1, rows.shape[1] - 1)))
        reason = f"the intrinsic dimension of the rows is {dimension:.1f}"
    check_code_length(int(latent_dim), rows.shape[1], len(distinct))
    rows = rows.to(device)  # float64: scores don't depend on the batch, as scikit-learn's checks ask
    epochs = default_epochs(len(training), PAPER_PRESENTATIONS) if options.epochs is None else int(options.epochs)
    if checkpoint is not None:
        checkpoint.begin({"rows": hash_of(x), "latent_dim": int(latent_dim)} | circumstances(epochs, seed, device))
    with seeded(seed):
        model = DenseAutoencoder(int(latent_dim), rows.shape[1]).to(device)
    with Progress("training", epochs, options.progress, options.on_epoch) as bar:
        losses = train(
            model,
            rows[training].float(),
            squared_error(model),
            epochs=epochs,
            seed=seed,
            one_cycle=True,
            on_epoch=lambda epoch, loss, _: bar.epoch(epoch, loss),
            checkpoint=checkpoint,
        )
    model.double()
    latent = LatentModel.fit(in_batches(model.encode, rows[distinct]))
    groups = [str(i) for i in held_out]
    fitted = model_scores(model, None, FeatureModel, latent, held_out=rows[held_out], groups=groups)
    fitted.standard, fitted.reason, fitted.history = standard, reason, losses
    counts = {"n_rows": len(x), "n_train": len(training), "n_held_out": len(held_out)}
    fitted.settings = {
        "data": f"{len(x)} vectors of {x.shape[1]} features",
        "unreadable": [],
        "latent_dim": options.latent_dim,
    }
    fitted.settings |= counts | circumstances(epochs, seed, device)
    return fitted
