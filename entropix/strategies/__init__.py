"""Three ways from normal images to an autoencoder whose code matches them; each is one training.

select     one nested autoencoder, measured at every candidate d and cut at the chosen one (the default).
prune      the paper's autoencoder trained wide, its code turned to principal axes, cut and trained on.
constrain  the length of the code is part of the training, driven to where the entropy is matched.
"""

from collections.abc import Callable

from entropix.strategies._adapted import CANDIDATES, Adapted
from entropix.strategies._constrain import constrain
from entropix.strategies._prune import prune, prune_wide
from entropix.strategies._select import select

STRATEGIES: dict[str, Callable[..., Adapted]] = {"select": select, "prune": prune_wide, "constrain": constrain}

__all__ = ["CANDIDATES", "STRATEGIES", "Adapted", "constrain", "prune", "prune_wide", "select"]
