"""The choice of d from the curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Choose the smallest code at which foreign content is most visible, among those no longer than normal images need.

    Both conditions of Proposition 2 (Cai et al., MICCAI 2024) in turn:

    1. H(Z) is to reach H(X_n) and not more. The entropy of the reconstructions rises with d and saturates, at a
       value below H(X_n) by the noise that no code holds. Latents beyond the first d within one nat of that value
       carry nothing of normal images that could be told (one nat is one factor of e in the volume that the code
       resolves, over all its dimensions), so they can only carry foreign content: longer codes are out.
    2. Among the remaining codes, visibility weighs what a code misses of normal images against what it follows of
       foreign content. Its maximum is flat; the smallest code within one standard error of it is taken (Breiman,
       Friedman, Olshen and Stone 1984, section 3.4.3), the standard error being that of the difference, paired over
       images.

    Args:
        curve: the candidates.
        entropy: H(X_n), which the reason names.
    """
    curve = sorted(curve, key=lambda point: point.latent_dim)
    full = max(point.entropy for point in curve)
    longest = longest_needed({point.latent_dim: point.entropy for point in curve})
    candidates = [point for point in curve if point.latent_dim <= longest]
    best = max(candidates, key=lambda point: point.visibility)
    chosen = next(point for point in candidates if _as_good(point, best))
    reason = (
        f"the entropy of the reconstructions comes within one nat of its limit, {full:.1f} nats, at "
        f"d = {longest} (H(X_n) = {float(entropy):.1f}), and "
    )
    if chosen is best:
        reason += f"up to there foreign content is most visible at d = {best.latent_dim}"
    else:
        reason += (
            f"d = {chosen.latent_dim} is the smallest that shows foreign content as well ({chosen.visibility:.3f}) as "
            f"the best up to there (d = {best.latent_dim}, {best.visibility:.3f}), within one standard error"
        )
    higher = [point for point in curve if point.latent_dim > longest and point.visibility > best.visibility]
    if higher:
        peak = max(higher, key=lambda point: point.visibility)
        reason += (
            "; longer codes are out, although it is more visible there "
            f"(d = {peak.latent_dim}, {peak.visibility:.3f}), because what they add is nothing of normal images"
        )
    return Choice(chosen.latent_dim, reason)


def longest_needed(entropies: Mapping[int, float]) -> int:
    """Return the first d whose reconstructions come within one nat of the highest entropy; longer codes are out.

    Args:
        entropies: of the reconstructions, nats, by d.
    """
    full = max(entropies.values())
    return min(d for d, entropy in entropies.items() if entropy >= full - 1)


def _as_good(point: CurvePoint, best: CurvePoint) -> bool:
    gap = best.visibility_images - point.visibility_images
    return bool(gap.mean().item() <= gap.std().item() / len(gap) ** 0.5)
