"""Training: objectives, the loop, one step of it, and the state that it is resumed from.

loop        `train`: epochs over images, for any model and objective.
objectives  the paper's squared error, and errors by their logarithms.
stepping    the gradients of a batch, with the memory there is; Ctrl-C between two steps.
state       what a checkpoint keeps of a training.
"""

from entropix.training.loop import BATCH_SIZE, OnEpoch, train
from entropix.training.objectives import NestedError, Objective, RelativeError, RunningMeans, squared_error

__all__ = [
    "BATCH_SIZE",
    "NestedError",
    "Objective",
    "OnEpoch",
    "RelativeError",
    "RunningMeans",
    "squared_error",
    "train",
]
