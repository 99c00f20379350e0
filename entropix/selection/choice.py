"""The choice of d from the curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entropix.estimators import Entropy
from entropix.selection.curve import CurvePoint


@dataclass(frozen=True)
class Choice:
    """The chosen d and, in words, why."""

    latent_dim: int
    reason: str


def choose(curve: Sequence[CurvePoint], entropy: Entropy) -> Choice:
    """The smallest d whose visibility is within one standard error of the best.

    The visibility curve rises while the code still misses normal content, and falls once it follows foreign
    content; near its top it is flat, and there the smaller code is preferred: among codes that tell foreign
    content apart equally well, Proposition 2 asks for the least entropy. The one-standard-error rule (Breiman,
    Friedman, Olshen and Stone 1984, section 3.4.3) says what "equally" means: within the standard error of the
    best.
    """
    best = max(curve, key=lambda point: point.visibility)
    good = [point for point in curve if point.visibility >= best.visibility - best.visibility_stderr]
    point = min(good, key=lambda candidate: candidate.latent_dim)
    full = max(curve, key=lambda candidate: candidate.latent_dim)
    kept = f"its reconstructions carry {point.entropy:.1f} of the {full.entropy:.1f} nats that the full code does"
    if point is best:
        reason = f"foreign content is most visible at d = {best.latent_dim}"
    else:
        reason = (
            f"d = {point.latent_dim} is the smallest whose visibility of foreign content, {point.visibility:.2f}, is "
            f"within one standard error of the best, {best.visibility:.2f} at d = {best.latent_dim}"
        )
    return Choice(point.latent_dim, f"{reason}; {kept} (H(X_n) = {float(entropy):.1f})")
