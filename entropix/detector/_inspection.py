"""`Inspection`: what a set of images holds, in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from entropix.data import in_short
from entropix.estimators import Entropy

MOST_SHOWN = 10


@dataclass(frozen=True)
class Inspection:
    """Facts about the images that `fit` would train on.

    Attributes:
        source: description for people.
        counts: n_images, n_files, n_volumes, n_groups, n_masks (files that say where something is in them), n_normal,
            n_duplicates, n_duplicates_across_splits (images whose copy or near-copy is among the test images; None
            without test images).
        kinds: number of images of each format and modality.
        series: number of images of each DICOM series, or BIDS suffix.
        bits: number of images of each bit depth of stored values.
        sizes: number of images of each height x width.
        value_range: lowest and highest raw value; None if the values are on [0, 1] by the source's meaning.
        constant: names of images of one value.
        clipped: names of images with more than 5 % of pixels at the top of the scale.
        unreadable: (name, reason) of what can't be read.
        passed_over: (name, reason) of what else lies in the folder and is no image.
        entropy: H(X_n) in nats in the signal subspace of the distinct images, as `fit` measures it, with its
            interval; its `dimension` is the intrinsic dimension. None for fewer than 50 distinct images.
        plan: what `fit` would do, in sentences.
        problem: why `fit` would refuse, or "".
    """

    source: str
    counts: dict[str, int | None]
    kinds: dict[str, int]
    series: dict[str, int]
    bits: dict[str, int]
    sizes: dict[str, int]
    value_range: tuple[float, float] | None
    constant: list[str]
    clipped: list[str]
    unreadable: list[tuple[str, str]]
    passed_over: list[tuple[str, str]]
    entropy: Entropy | None
    plan: list[str] = field(default_factory=list)
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain numbers, strings and lists, ready for JSON."""
        return self.__dict__ | {"entropy": None if self.entropy is None else self.entropy.to_dict()}

    def __str__(self) -> str:
        counts = ", ".join(f"{n:,} {name[2:].replace('_', ' ')}" for name, n in self.counts.items() if n is not None)
        lines = [self.source, f"  {counts}"]
        for title, table in (
            ("kinds", self.kinds),
            ("series", self.series),
            ("bits", self.bits),
            ("sizes", self.sizes),
        ):
            if table:
                lines.append(f"  {title}: {_some(f'{name} ({n:,})' for name, n in table.items())}")
        if not self.kinds:
            pass
        elif self.value_range is None:
            lines.append("  values: on [0, 1]: 8-bit, windowed, or by the percentiles of each volume")
        else:
            lines.append("  values: raw, {:g} to {:g}".format(*self.value_range))
        for title, names in (("constant", self.constant), ("clipped", self.clipped)):
            if names:
                lines.append(f"  {title}: {len(names):,} images: {_some(names)}")
        for title, entries in (("unreadable", self.unreadable), ("passed over", self.passed_over)):
            lines += [f"  {title}: {line}" for line in in_short(entries)]
        if self.entropy is not None:
            low, high = self.entropy.ci
            lines.append(f"  intrinsic dimension: {self.entropy.dimension:.1f}")
            lines.append(f"  H(X_n): {float(self.entropy):.1f} nats, 95 % interval {low:.1f} to {high:.1f}")
        lines.append("fit would refuse:" if self.problem else "fit would:")
        lines += [f"  {sentence}" for sentence in ([self.problem] if self.problem else self.plan)]
        return "\n".join(lines)


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    more = f", and {len(shown) - MOST_SHOWN:,} more" if len(shown) > MOST_SHOWN else ""
    return ", ".join(shown[:MOST_SHOWN]) + more
