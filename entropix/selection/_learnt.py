"""Whether a training has learnt normal images at all; if it has not, its curve says nothing about d."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from entropix.data import ImageView
from entropix.estimators import Entropy
from entropix.selection._curve import CurvePoint

MOST_LOST = math.log(2)  # nats in every dimension in which normal images vary


def has_not_learnt(
    curve: Sequence[CurvePoint], entropy: Entropy, train: Tensor | ImageView, held_out: Tensor
) -> str | None:
    """Return what shows that no code of the curve holds normal images; None if nothing does.

    Either of two things does. Even the best code has a larger error on held-out images than their mean, which takes no
    code at all. Or its reconstructions lie less than half as far apart as the images in every one of their m
    dimensions, H(X_n) - H(X^) = m <ln rho_k(x) / rho_k(x^)> > m ln 2: they hardly depend on the image.

    Args:
        curve: what was measured at every candidate d.
        entropy: H(X_n).
        train: training images (n, c, s, s).
        held_out: held-out normal images.
    """
    full = max(point.entropy for point in curve)
    if worse := worse_than_mean(min(point.error_held_out for point in curve), train, held_out):
        return worse
    if float(entropy) - full > MOST_LOST * entropy.dimension:
        return (
            f"the entropy of the reconstructions is {full:.1f} nats at most, that of the images {float(entropy):.1f}, "
            f"which vary in {entropy.dimension:.0f} dimensions"
        )
    return None


def worse_than_mean(error: float, train: Tensor | ImageView, held_out: Tensor) -> str | None:
    """Return that a mean squared error on held-out images is no smaller than that of the mean image; None if it is."""
    mean = train[: len(held_out)].mean(0)
    of_mean = (held_out - mean).square().mean().item()
    if error < of_mean:
        return None
    return f"held-out images have an error of {error:.3g}, and the mean image alone one of {of_mean:.3g}"
