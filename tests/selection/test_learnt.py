"""A training that was too short says so, with the number of epochs that would do; a long enough one does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import entropix
from entropix.estimators import entropy
from entropix.exceptions import FitWarning
from entropix.selection import CurvePoint, has_not_learnt, worse_than_mean

POINT = CurvePoint(1, 3.0, 0.1, 0.01, 0.01, 0.8, 0.01)


def test_either_sign_is_enough(rng: np.random.Generator) -> None:
    images = torch.from_numpy(rng.standard_normal((200, 1, 2, 2)).astype(np.float32))  # the mean has an error of 1
    known = entropy(images.flatten(1), method="manifold")
    kept = replace(POINT, entropy=float(known) - 0.6 * known.dimension)
    lost = replace(POINT, entropy=float(known) - 0.8 * known.dimension)
    wrong = replace(kept, error_held_out=1.5)
    assert has_not_learnt([lost, kept, wrong], known, images, images) is None  # the best of them has
    assert "entropy of the reconstructions" in str(has_not_learnt([lost], known, images, images))
    assert "mean image alone" in str(has_not_learnt([wrong], known, images, images))
    assert worse_than_mean(0.9, images, images) is None
    assert has_not_learnt([replace(kept, error_held_out=float("nan"))], known, images, images)


@pytest.mark.usefixtures("few_candidates")
def test_a_short_fit_warns_and_a_long_one_does_not(images: np.ndarray) -> None:
    settings = {"image_size": 16, "progress": False, "alpha": 0.2}
    with pytest.warns(FitWarning, match=r"30 epochs were too few .*fit again with epochs=600 \(--epochs 600\)"):
        short = entropix.fit(images, epochs=30, **settings)
    assert short.reason_.startswith("30 epochs were too few")
    assert short.settings_["enough_epochs"] == 600
    long = entropix.fit(images, epochs=120, **settings)  # warnings are errors here
    assert "enough_epochs" not in long.settings_


def test_a_short_fit_of_a_given_d_warns_too(images: np.ndarray) -> None:
    settings = {"image_size": 16, "progress": False, "alpha": 0.2, "latent_dim": 2}
    with pytest.warns(FitWarning, match=r"1 epochs were too few .*the mean image alone.*fit again with epochs=600"):
        short = entropix.fit(images, epochs=1, **settings)
    assert short.settings_["enough_epochs"] == 600
