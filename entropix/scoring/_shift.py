"""How far new images are from those of the fit, by their scores, which held-out normal images tell of the fit's.

*Normal images of a site*, known to be normal, are compared as two samples: the largest distance between the
distribution functions of their scores and of those of the held-out images (Kolmogorov 1933, Smirnov 1948), in every
score, whose p-values are adjusted for their number (Dunn 1961).

*A batch that is to be judged* may hold anomalies, which only raise scores. Even if half of it were anomalous, half of
the rest would be expected below the median of the held-out scores: that fewer are may have little chance, and then the
images come from elsewhere, and p-values promise nothing. More below the median than chance allows tell the same, for
anomalies cannot. The chance is beta-binomial, as few held-out images know their median badly (Vovk 2012).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from entropix.exceptions import ShiftWarning
from entropix.scoring._calibration import Calibration
from entropix.scoring._scores import DEFAULT_SCORE

UNLIKELY = 0.001  # chance of a batch of the fit's kind to be warned of


@dataclass(frozen=True)
class Shift:
    """How far normal images are from those that a detector was fitted to.

    Attributes:
        distance: largest difference of the distribution functions of scores, 0 to 1.
        score: the score in which they differ most ("peak": the largest value of the heat map).
        p_value: chance of such a difference between images of one kind, adjusted for the number of scores.
        n: images compared, one of each patient or volume.
        false_positives: share of them that was anomalous at `alpha`, before.
        alpha: the rate that was promised.
    """

    distance: float
    score: str
    p_value: float
    n: int
    false_positives: float
    alpha: float

    def __str__(self) -> str:
        """Return the statement in one line."""
        differ = "differ from" if self.p_value <= 0.05 else "do not visibly differ from"
        share = 100 * self.false_positives
        return (
            f"the scores of {self.n} normal images {differ} those of the fit: distance {self.distance:.2f} in "
            f"{self.score}, p = {self.p_value:.2g}; {share:.0f} % were anomalous at alpha = {self.alpha:.3g}"
        )


def measure_shift(known: Calibration, scores: Mapping[str, np.ndarray], alpha: float) -> Shift:
    """Compare scores (n,) of new normal images, by name, with those of the held-out ones.

    Args:
        known: scores of held-out images.
        scores: of independent images, one of each patient or volume.
        alpha: false-positive rate.
    """
    from scipy.stats import ks_2samp

    tests = {name: ks_2samp(known[name].numpy(), values) for name, values in scores.items()}
    name = min(tests, key=lambda name: (tests[name].pvalue, -tests[name].statistic))
    return Shift(
        float(tests[name].statistic),
        name,
        min(1.0, len(tests) * float(tests[name].pvalue)),
        len(scores[DEFAULT_SCORE]),
        float((known.p_value(scores[DEFAULT_SCORE]) <= alpha).mean()),
        alpha,
    )


def one_of_each(groups: Sequence[str], seed: int = 0) -> np.ndarray:
    """Return the index of a random image of each group: images of one patient are no independent draws."""
    order = np.random.default_rng(seed).permutation(len(groups))
    return np.sort(order[np.unique(np.asarray(groups)[order], return_index=True)[1]])


def warn_of_shift(known: Calibration, p_values: np.ndarray, groups: Sequence[str], stacklevel: int = 3) -> None:
    """Warn with `ShiftWarning` if images, of which up to half may be anomalous, are not like those of the fit.

    Args:
        known: scores of held-out images.
        p_values: of the images (n,), by the default score.
        groups: patient, volume or name of each.
        stacklevel: as of `warnings.warn`.
    """
    from scipy.stats import betabinom

    chosen = p_values[one_of_each(groups)] if len(p_values) else p_values
    n, ranks = len(chosen), len(known) + 1
    below = ranks - ranks // 2  # ranks of a normal image whose p-value is above a half
    usual = int((chosen > 0.5).sum())
    few = betabinom.cdf(usual, n // 2, below, ranks - below)
    many = betabinom.sf(usual - 1, n, below, ranks - below)
    what = f"{usual} of {n} images (one of each patient or volume) score below the median of held-out normal images"
    site = "recalibrate the model with normal images of their site (detector.recalibrate, entropix calibrate)"
    if few < UNLIKELY:
        warnings.warn(
            f"only {what}; if half of them were normal images like those of the fit, so few would have a chance of "
            f"{few:.1g}. Unless most are anomalous, they come from elsewhere, and p-values promise nothing: {site}",
            ShiftWarning,
            stacklevel,
        )
    elif many < UNLIKELY:
        warnings.warn(
            f"{what}; of images like those of the fit so many would have a chance of {many:.1g}. They come from "
            f"elsewhere, and anomalies among them may have large p-values: {site}",
            ShiftWarning,
            stacklevel,
        )
