"""The choice of d from the curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entropix.estimators import Entropy
from entropix.selection._curve import CurvePoint


@dataclass(frozen=True)
class Choice:
    """The chosen d.

    Attributes:
        latent_dim: d.
        reason: why this d, in words.
    """

    latent_dim: int
    reason: str


def choose(curve: Sequence[CurvePoint], entropy: Entropy) -> Choice:
    """Choose the smallest code that keeps what a code can keep of the normal images, to within one nat.

    By Proposition 2 of Cai et al. (MICCAI 2024), H(Z) is to reach H(X_n) and not more. The entropy of the
    reconstructions rises with d and saturates, at a value below H(X_n) by the noise that no code holds. Latents beyond
    the first d within one nat of that value carry nothing of normal images that could be told (one nat is one factor
    of e in the volume that the code resolves, over all its dimensions), so they can only carry foreign content.

    Args:
        curve: the candidates.
        entropy: H(X_n), which the reason names.
    """
    full = max(point.entropy for point in curve)
    chosen = min((p for p in curve if p.entropy >= full - 1), key=lambda point: point.latent_dim)
    best = max(curve, key=lambda point: point.visibility)
    reason = (
        f"d = {chosen.latent_dim} is the first at which the entropy of the reconstructions comes within one nat of "
        f"its limit, {full:.1f} nats (H(X_n) = {float(entropy):.1f}); foreign content is visible to "
        f"{chosen.visibility:.3f} there, and to {best.visibility:.3f} at most (d = {best.latent_dim})"
    )
    return Choice(chosen.latent_dim, reason)
