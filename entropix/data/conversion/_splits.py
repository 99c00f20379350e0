"""Splits of the sizes in the MedIAnomaly benchmark (Cai, Zhang, Chen and Cheng 2024), drawn by a seed.

Which image was in which split of the benchmark is in the benchmark's own package, which is read as it is; from the
original data the sizes are the same and the draw is another.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Sizes:
    """Published numbers of images: normal ones to train on, normal and abnormal ones to test."""

    train: int
    test_normal: int
    test_abnormal: int


def draw(items: Sequence[T], most: int, rng: np.random.Generator) -> list[T]:
    """Return at most `most` items at random, in their order."""
    chosen = rng.permutation(len(items))[:most]
    return [items[i] for i in sorted(chosen)]


def split_normal(items: Sequence[T], sizes: Sizes, rng: np.random.Generator) -> tuple[list[T], list[T]]:
    """Return normal items to train on and to test, of the published sizes; of fewer items, in the same proportion."""
    wanted = sizes.train + sizes.test_normal
    share = min(1.0, len(items) / wanted)
    order = rng.permutation(len(items))
    first, second = int(share * sizes.train), int(share * sizes.test_normal)
    return [items[i] for i in sorted(order[:first])], [items[i] for i in sorted(order[first : first + second])]


def split_groups(groups: Sequence[Hashable], first: int, second: int, rng: np.random.Generator) -> set[Hashable]:
    """Return the groups of the first side, first : second as published, rounded so that neither side is empty."""
    distinct = sorted(set(groups), key=str)
    count = min(max(round(len(distinct) * first / (first + second)), 1), len(distinct) - 1)
    return {distinct[i] for i in rng.permutation(len(distinct))[:count]}
