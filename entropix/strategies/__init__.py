"""Three ways from normal images to an autoencoder whose code matches them; each is one training.

select     one nested autoencoder, measured at every candidate d and cut at the chosen one (the default).
prune      the paper's autoencoder trained wide, its code turned to principal axes, cut and trained on.
constrain  the length of the code is part of the training, driven to where the entropy is matched.
"""

from typing import TYPE_CHECKING, Literal

from entropix._utils import moved_names
from entropix.strategies._adapted import CANDIDATES, Adapted, Strategy
from entropix.strategies._constrain import constrain_length
from entropix.strategies._prune import prune, prune_wide
from entropix.strategies._select import select_prefix

StrategyName = Literal["select", "prune", "constrain"]
STRATEGIES: dict[str, Strategy] = {"select": select_prefix, "prune": prune_wide, "constrain": constrain_length}

__all__ = [
    "CANDIDATES",
    "STRATEGIES",
    "Adapted",
    "Strategy",
    "StrategyName",
    "constrain_length",
    "prune",
    "prune_wide",
    "select_prefix",
]

if not TYPE_CHECKING:  # type checkers know the new names only
    __getattr__ = moved_names(__name__, {"constrain": "constrain_length", "select": "select_prefix"})
