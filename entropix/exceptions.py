"""Every error and warning that entropix defines, below two base classes.

Errors about arguments are plain ValueError and TypeError; these are about what the arguments lead to. All of them say
what came, what was expected and what to do.
"""


class EntropixError(Exception):
    """Base of the errors."""


class DataError(EntropixError, ValueError):
    """Data that cannot be used."""


class MissingSplitError(DataError):
    """The source knows splits, and the one asked for is not among them."""


class ModelError(EntropixError, ValueError):
    """A folder that holds no usable model."""


class CheckpointError(EntropixError, ValueError):
    """A checkpoint from which a training can't be resumed."""


class EntropixWarning(UserWarning):
    """Base of the warnings."""


class EstimatorWarning(EntropixWarning):
    """The data suffers from something that an estimate should be read with: duplicates, ties, too few samples."""


class FitWarning(EntropixWarning):
    """The data has a weakness in spite of which the fit went on."""


class ScaleWarning(EntropixWarning):
    """Images lie in a small part of the training images' values: perhaps they are in another unit."""


class ShiftWarning(EntropixWarning):
    """Images are not like those that the model knows, so that its p-values promise nothing about them."""


class MemoryWarning(EntropixWarning):
    """The device's memory did not hold a batch; the work went on with smaller ones."""


class CheckpointWarning(EntropixWarning):
    """There was nothing to resume, or a checkpoint could not be written."""
