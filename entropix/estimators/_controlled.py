"""Mutual information with a control variate: estimator 1, less the error it makes on a model of the data.

Both sides are first brought to coordinates in which a model is simple. Mutual information doesn't change under monotone
maps of columns, so columns are replaced by their normal scores, then each side is whitened: outliers and heavy tails
then decide nothing. Where the scores blur what the plain columns show (a difference of two nearly equal columns), the
columns themselves are whitened: the held-out code length decides, as for `_structured`. The model is a normal or
Student t copula (`_copula`). If the data is like it, all that is left is noise; if it depends on nothing, next to
nothing is subtracted.

What is left of the error where the model is wrong shows in another scale. To first order it is proportional to the
radius, which grows with (k / n)^(1/d): from the estimates with k and 4 k neighbours it is extrapolated. It goes into
the interval; where it is clear it is also taken out, with a warning when it is larger than the standard error.
The divergence (`_divergence`) takes nothing out: there the extrapolation goes too far, and errors would double.
"""

from __future__ import annotations

from math import hypot, inf
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from entropix.estimators._copula import Copula
from entropix.estimators._duplicates import dense_ranks, row_hashes
from entropix.estimators._ksg import ksg1, ksg1_at, whiten_block
from entropix.estimators._marginals import quantile_scores
from entropix.estimators._normalising_maps import FittedMap, scored, whiten
from entropix.estimators._structured import held_out_lead

CONTROL_SAMPLES = 5, 16
"""Least and most simulated samples. Each has about the variance of the estimate, so that they add a fifth at most."""
CONTROL_ROWS = 1_250
"""Rows of each that are looked at, at least; in larger samples a sixteenth of them."""
CONTROL_WORK = 12_500_000
"""Distances taken in each of them, at least: more rows are looked at where others are few."""
STRONGER = 1.2
"""Information of the model that shows how much of a change neighbours see."""
CLEAR = 2.0
"""Standard errors by which an error that is left has to differ from 0 before any of it is believed."""
SCALE = 4
"""The other scale has so many times the neighbours."""


class Controlled(NamedTuple):
    """Mutual information, point by point.

    Attributes:
        points: Contributions (n,) in nats.
        variance: Variance of their mean, from their spread and that of estimates on the simulated samples.
        left: Error that is left.
    """

    points: Tensor
    variance: float
    left: Left


class Simulated(NamedTuple):
    """Contributions on a sample of the model: with k (some,) and with far neighbours (few,), and exact (some,)."""

    near: Tensor
    far: Tensor
    exact: Tensor


def controlled(blocks: list[Tensor], k: int) -> Controlled | None:
    """Return what the top of the module describes for two blocks, None if no normal with a density is like them."""
    # nothing may depend on which of the two is called x
    blocks = sorted(blocks, key=lambda block: (block.shape[1], float(block.pow(4).sum())))
    n, d = len(blocks[0]), sum(block.shape[1] for block in blocks)
    by_rank = _scores_are_better(torch.cat(blocks, 1), k)
    x, y = (whiten_block(_scores(block) if by_rank else block) for block in blocks)
    far = SCALE * k
    if n <= max(d + 1, far) or float(torch.linalg.svdvals(x.T @ y / n)[0]) > 1 - 1e-9:
        return None
    model = Copula.fit(x, y)
    if by_rank:
        model = model.with_tails(x, y)
    some = min(n, max(CONTROL_ROWS, n // 16, CONTROL_WORK // n))
    few = min(n, max(CONTROL_ROWS, some) // 2)

    def simulate(model: Copula, seed: int) -> Simulated:
        first, second = model.sample(n, seed)
        exact = model.information(first[:some], second[:some])
        # half the time of float64; rows are drawn alike, and the first are as good as any
        sides = [(_scores(side) if by_rank else side).float() for side in (first, second)]
        rows = torch.arange(some, device=x.device)
        near, further = ksg1_at(sides, rows, {k: some, far: few})
        return Simulated(near, further, exact)

    samples = min(CONTROL_SAMPLES[1], max(CONTROL_SAMPLES[0], CONTROL_SAMPLES[1] * CONTROL_ROWS // n))
    seeds = np.random.default_rng(seed_of(*blocks)).integers(2**62, size=samples)
    controls = [simulate(model, seed) for seed in seeds]
    errors = torch.stack([c.near.mean() - c.exact.mean() for c in controls])
    apart = torch.stack([c.far.mean() - c.near[:few].mean() for c in controls])
    near = ksg1([x, y], k)

    unseen, linear = 0.0, torch.zeros_like(near)
    if (information := model.normal_information) > 0:
        # the part of a change of the correlations that neighbours don't see, but what is subtracted follows: a term of
        # mean zero lets the spread show it
        more = simulate(model.stronger(STRONGER), seeds[0])
        change = float((more.near - more.exact).mean() - errors[0])
        unseen = min(max(-change / ((STRONGER - 1) * information), 0.0), 1.0)
        linear = model._replace(freedom=inf).information(x, y)
    points = near - errors.mean() + unseen * (linear - linear.mean())

    # neighbours are shared, so that the spread of contributions isn't that of their mean: on the model both are known
    spread = sum(float((c.near + unseen * c.exact).var()) for c in controls) / samples
    exact = sum(float(c.exact.var()) for c in controls) / samples
    rest = errors + unseen * torch.stack([c.exact.mean() for c in controls])
    factor = min(max((exact + some * float(rest.var())) / spread, 0.5), 4.0)
    variance = factor * float(points.var()) / n + float(errors.var()) / samples

    rows = torch.arange(0, n, max(1, n // (4 * few)), device=x.device)
    # scores are spread evenly: float32 tells them apart
    sides = [x.float(), y.float()] if by_rank else [x, y]
    further = ksg1_at(sides, rows, {far: len(rows)})[0] - near[rows]
    # of the two spreads, only that of the simulated samples knows what rows share
    noise = max(factor * float(further.var()), few * float(apart.var())) / len(rows) + float(apart.var()) / samples
    left = extrapolated(float(further.mean() - apart.mean()), noise**0.5, d)
    return Controlled(points + left.correction, variance, left)


class Left(NamedTuple):
    """Error that is left, extrapolated from another scale, and its standard error."""

    value: float
    stderr: float

    @property
    def share(self) -> float:
        """Share of the error to take out, 0 where noise may be all of it (positive part, James and Stein 1961)."""
        return max(1 - (CLEAR * self.stderr / self.value) ** 2, 0.0) if self.value else 0.0

    @property
    def correction(self) -> float:
        """What is to be added to the estimate."""
        return -self.share * self.value

    @property
    def beyond_noise(self) -> float:
        """How large the error is without noise, 0 if noise alone would do; all of it once it is clear."""
        return max(self.value**2 - (0.0 if self.share else self.stderr**2), 0.0) ** 0.5

    def possible(self, estimate: float, stderr: float) -> float:
        """Return how large the error of an estimate with this standard error may be: all of it, once it is clear.

        Until then what was seen and how ill it was seen count, as far as it is seen as sharply as the estimate itself:
        their noise is in part the same, with the other sign, so that an error that seems small hides where the
        estimate is farthest off. (Noise with edges: 72 % of the intervals held, if only what exceeds noise counted.)
        Without dependence neighbours make no error (Kraskov et al. 2004), so that it isn't above the estimate.
        """
        if self.share or not self.stderr:
            return abs(self.value)
        seen = min(1.0, stderr / self.stderr) ** 2
        return min(seen * hypot(self.value, self.stderr), max(estimate, 0.0))

    def notes(self, stderr: float, share: float) -> tuple[str, ...]:
        """Return a warning if it is clear, and larger than the standard error of the estimate; share was taken out."""
        if not self.share or abs(self.value) < stderr:
            return ()
        taken = f"of which {100 * share:.0f} % were taken out" if share else "which widens the interval"
        return (
            f"the estimate depends on the number of neighbours: with {SCALE} times as many it changes as if "
            f"{abs(self.value):.2g} nats were {'missed' if self.value < 0 else 'too many'}, {taken}",
        )


def extrapolated(change: float, stderr: float, d: int) -> Left:
    """Return the error that is left in d dimensions, from the change by SCALE times the neighbours."""
    growth = SCALE ** (1 / d) - 1
    return Left(change / growth, stderr / growth)


def _scores(x: Tensor) -> Tensor:
    return torch.from_numpy(quantile_scores(x.cpu().numpy())).to(x.device)


def _scores_are_better(joint: Tensor, k: int) -> bool:
    """Tell whether normal scores of the columns don't make a held-out description clearly longer than whitening."""

    def by_scores(x: np.ndarray) -> FittedMap:
        return scored(x, whiten)

    return held_out_lead(joint.cpu().numpy(), k, whiten, by_scores) < 3


def seed_of(x: Tensor, y: Tensor) -> int:
    """Return a seed that depends on the order of the values in each column, but not on that of rows, or of x and y.

    With one seed for all, the noise of the simulated samples would be the same for all samples of a size, and no
    average over many of them would be rid of it.
    """
    hashes = [row_hashes(dense_ranks(block)) for block in (x, y)]
    return int((hashes[0] * hashes[1]).sum()) % 2**62
