"""Mutual information with a control variate: estimator 1, less the error it makes on a model of the data.

Both sides are first brought to coordinates in which a model is simple. Mutual information doesn't change under monotone
maps of columns, so columns are replaced by their normal scores, then each side is whitened: outliers and heavy tails
then decide nothing. Where the scores blur what the plain columns show (a difference of two nearly equal columns), the
columns themselves are whitened: the held-out code length decides, as for `_structured`. The model is a normal or
Student t copula (`_copula`). If the data is like it, all that is left is noise; if it depends on nothing, next to
nothing is subtracted.

What is left of the error where the model is wrong shows in another scale. To first order it is proportional to the
radius, which grows with (k / n)^(1/d): from the estimates with k and 4 k neighbours it is extrapolated. It goes into
the interval, and there is a warning when it is larger than the standard error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from entropix.estimators._copula import Copula
from entropix.estimators._duplicates import row_hashes
from entropix.estimators._ksg import ksg1_at, whiten_block
from entropix.estimators._marginals import quantile_scores
from entropix.estimators._normalising_maps import FittedMap, scored, whiten
from entropix.estimators._structured import held_out_lead

CONTROL_SAMPLES = 8
"""Simulated samples: each has about the variance of the estimate itself, so that they add an eighth to it."""
CONTROL_ROWS = 1_000
"""Rows of each that are looked at, at least; in large samples a sixteenth of them, which costs half of the estimate."""
SCALE = 4
"""The other scale has so many times the neighbours."""


class Controlled(NamedTuple):
    """Mutual information, point by point.

    Attributes:
        points: Contributions (n,) in nats.
        control_variance: Variance that the simulated samples add to their mean.
        left: Error that is left, extrapolated from another scale.
        left_stderr: Standard error of that.
    """

    points: Tensor
    control_variance: float = 0.0
    left: float = 0.0
    left_stderr: float = 0.0


def controlled(blocks: list[Tensor], k: int) -> Controlled | None:
    """Return what the top of the module describes for two blocks, None if no normal with a density is like them."""
    # nothing may depend on which of the two is called x
    blocks = sorted(blocks, key=lambda block: (block.shape[1], float(block.pow(4).sum())))
    n, d = len(blocks[0]), sum(block.shape[1] for block in blocks)
    by_rank = _scores_are_better(torch.cat(blocks, 1), k)
    x, y = (whiten_block(_scores(block) if by_rank else block) for block in blocks)
    if n <= d + 1 or float(torch.linalg.svdvals(x.T @ y / n)[0]) > 1 - 1e-9:
        return None
    model = Copula.fit(x, y)
    if by_rank:
        model = model.with_tails(x, y)
    far = min(SCALE * k, n - 1)
    if far <= k:
        return None
    some = min(n, max(CONTROL_ROWS, n // 16))
    seeds = np.random.default_rng(_seed(blocks)).integers(2**62, size=CONTROL_SAMPLES)

    def error(model: Copula, seed: int) -> Tensor:
        """Return the error with k and with far neighbours, (2,), on a sample of the model."""
        simulated = model.sample(n, seed)
        rows = torch.arange(some, device=x.device)  # rows are drawn alike: any are as good
        exact = model.information(*(side[:some] for side in simulated))
        sides = [_scores(side) if by_rank else side for side in simulated]
        return (ksg1_at(sides, (k, far), rows) - exact).mean(1)

    errors = torch.stack([error(model, seed) for seed in seeds])
    mean, variance = errors.mean(0), errors.var(0) / CONTROL_SAMPLES

    near = ksg1_at([x, y], (k,), torch.arange(n, device=x.device))[0]
    rows = torch.arange(0, n, max(1, n // max(2 * some, 1)), device=x.device)
    change = ksg1_at([x, y], (far,), rows)[0] - near[rows]
    drift = float(change.mean() - (mean[1] - mean[0]))
    noise = float(change.var()) / len(rows) + float((errors[:, 1] - errors[:, 0]).var()) / CONTROL_SAMPLES
    growth = (far / k) ** (1 / d) - 1

    points = near - mean[0]
    information = model.normal_information
    if information > 0:
        # what is subtracted depends on the sample's correlations: a term of mean zero lets the spread show that
        up = torch.stack([error(model.stronger(1.2), seed) for seed in seeds[:2]])
        unseen = -float((up - errors[:2]).mean(0)[0]) / (0.2 * information)
        linear = model._replace(freedom=float("inf")).information(x, y)
        points = points + min(max(unseen, 0.0), 1.0) * (linear - linear.mean())
    return Controlled(points, float(variance[0]), drift / growth, noise**0.5 / growth)


def _scores(x: Tensor) -> Tensor:
    return torch.from_numpy(quantile_scores(x.cpu().numpy())).to(x.device)


def _scores_are_better(joint: Tensor, k: int) -> bool:
    """Tell whether normal scores of the columns don't make a held-out description clearly longer than whitening."""

    def by_scores(x: np.ndarray) -> FittedMap:
        return scored(x, whiten)

    return held_out_lead(joint.cpu().numpy(), k, whiten, by_scores) < 2


def _seed(blocks: list[Tensor]) -> int:
    """Return a seed that depends on the order of the values in each column, but not on that of the rows or blocks.

    With one seed for all, the noise of the simulated samples would be the same for all samples of a size, and no
    average over many of them would be rid of it.
    """
    hashes = [row_hashes(block.argsort(0).argsort(0).double()) for block in blocks]
    return int((hashes[0] * hashes[1]).sum()) % 2**62
