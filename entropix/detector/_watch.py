"""The progress of a running training: the error of held-out images, and H(X^) on its way to H(X_n).

Both are measured on the same few held-out images, entropies as in `entropix.selection`, and only if somebody looks. No
random number is drawn and the model is left as it is: the training ends the same, watched or not.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from entropix._utils import Progress, in_batches
from entropix.ops import reconstruction_error
from entropix.selection import ImageEntropy

WATCHED_IMAGES = 256
MOMENTS = 20  # the most at which a training is measured
# Share of the training's time that the errors may cost, a step costing about three passes through the autoencoder; the
# entropies cost as much again.
SHARE = 0.01


class Watch:
    """An `OnEpoch` that shows the epochs of a training on a bar, now and then with measurements.

    Args:
        bar: shows the epochs.
        held_out: (n, c, s, s) on [-1, 1], distinct, in random order.
        n_train: number of training images.
        epochs: number of epochs of the training.
    """

    def __init__(self, bar: Progress, held_out: Tensor, n_train: int, epochs: int) -> None:
        self.bar, self.images, self.epochs = bar, held_out[:WATCHED_IMAGES], epochs
        self.every = max(math.ceil(epochs / MOMENTS), math.ceil(len(self.images) / (3 * SHARE * n_train)))
        self.known: ImageEntropy | None = None

    def __call__(self, epoch: int, loss: float, model: nn.Module) -> None:
        """Show that `epoch` is over, with mean loss `loss`; `model` maps images to reconstructions."""
        due = self.bar.watched and (self.epochs - epoch) % self.every == 0
        self.bar.epoch(epoch, loss, **(self.measure(model) if due else {}))
        if epoch == self.epochs:
            self.bar.message("trained, measuring")  # candidates and normal scores: a tenth of the time

    @torch.no_grad()
    def measure(self, model: nn.Module) -> dict[str, float]:
        """Return the fields of `Epoch` that are not known in every epoch."""
        if self.known is None:
            self.known = ImageEntropy(self.images)
        training = model.training
        x_hat = in_batches(model.eval(), self.images)
        model.train(training)
        return {
            "error_held_out": reconstruction_error(self.images, x_hat).mean().item(),
            "entropy": self.known.of_reconstructions(x_hat).mean().item(),
            "entropy_images": float(self.known.value),
        }
