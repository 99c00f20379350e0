"""The table of scores, by which all code goes that lists, writes, exports or calibrates scores.

A new score is a function of `Terms` and a line in `SCORES` (and its name in `ScoreName`, for type checkers). It is then
a column of the score files, a row of the report, an output of an exported model and an argument of `anomaly_score`.
Model folders need no change: the scores of held-out images are stored by the name of the score, and a model that was
fitted before a score existed gives its value but no p-value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from entropix.ops import reconstruction_error
from entropix.scoring._outputs import Outputs

ScoreName = Literal["surprisal", "residual"]


@dataclass(frozen=True)
class Terms:
    """The quantities that a score may depend on, for n inputs in the units of the model.

    Attributes:
        outputs: inputs, reconstructions, codes and what else the networks make of them.
        conditional: (n,) nats, the quadratic term of -ln p(x | z).
        latent: (n,) nats, -ln p of what the encoder sees on its way to the code, as far as it is evidence.
    """

    outputs: Outputs
    conditional: Tensor
    latent: Tensor


@dataclass(frozen=True)
class Score:
    """A score: higher is more anomalous.

    Attributes:
        name: name by which `anomaly_score` and files know it.
        unit: unit of its numbers, such as "nats".
        function: computes scores (n,) from `Terms`.
        calibrated: whether a fit keeps the scores of held-out images, from which p-values come.
    """

    name: ScoreName
    unit: str
    function: Callable[[Terms], Tensor]
    calibrated: bool = True


def surprisal(terms: Terms) -> Tensor:
    """Return -ln p(x | z) - ln p(z), as far as it is evidence: nats (n,)."""
    return terms.conditional + terms.latent


def residual(terms: Terms) -> Tensor:
    """Return the paper's score, the mean squared error of the reconstruction, (n,)."""
    return reconstruction_error(terms.outputs.x, terms.outputs.x_hat)


_TABLE = (
    Score("surprisal", "nats", surprisal),
    Score("residual", "mean squared error", residual),
)
SCORES: dict[str, Score] = {score.name: score for score in _TABLE}
DEFAULT_SCORE: ScoreName = "surprisal"
MAP = "map"  # the heat map beside scores and terms


def check_score(name: str) -> None:
    """Raise ValueError unless `name` is a score."""
    if name not in SCORES:
        raise ValueError(f"score={name!r}; expected one of {', '.join(SCORES)}")
