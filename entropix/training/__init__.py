"""Training: images ready for it, objectives, the loop, one step of it, and the state from which it is resumed.

_training_data  `TrainingData`: images checked, scaled and split.
_split          who is trained on and who is held out: groups and duplicates stay together.
_copies         copies of the images among others.
_loop           `train`: epochs over images, for any model and objective.
_objectives     the paper's squared error, and errors by their logarithms.
_stepping       the gradients of a batch, in as many parts as the memory needs; Ctrl-C between two steps.
_state          what a checkpoint keeps of a training.
_checkpoint     `Checkpoint`: the folder in which a fit or a sweep keeps its state.
_parallel       one training in several processes.
"""

from entropix._utils import Epoch
from entropix.training import _parallel as parallel
from entropix.training._checkpoint import Checkpoint, hash_of
from entropix.training._copies import Fingerprints
from entropix.training._corruption import corrupted
from entropix.training._loop import TRAINING_BATCH, OnEpoch, train
from entropix.training._objectives import NestedError, Objective, RelativeError, RunningMeans, squared_error
from entropix.training._split import MOST_HELD_OUT, image_duplicates, split
from entropix.training._training_data import FEWEST_HELD_OUT, Slices, TrainingData, without_constant

__all__ = [
    "FEWEST_HELD_OUT",
    "MOST_HELD_OUT",
    "TRAINING_BATCH",
    "Checkpoint",
    "Epoch",
    "Fingerprints",
    "NestedError",
    "Objective",
    "OnEpoch",
    "RelativeError",
    "RunningMeans",
    "Slices",
    "TrainingData",
    "corrupted",
    "hash_of",
    "image_duplicates",
    "parallel",
    "split",
    "squared_error",
    "train",
    "without_constant",
]
