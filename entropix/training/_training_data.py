"""Images ready for training: checked, scaled, split."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from entropix.data import ImageSet, ImageView
from entropix.exceptions import DataError, FitWarning
from entropix.training._loop import TRAINING_BATCH
from entropix.training._split import split

FEWEST_HELD_OUT = 16


@dataclass(frozen=True)
class Slices:
    """Slices of volumes.

    Attributes:
        pixels: (n, c, s, s) on [-1, 1].
        groups: patient or volume of each.
        volumes: the volume of each.
    """

    pixels: Tensor
    groups: list[str]
    volumes: list[str]

    @classmethod
    def of(cls, data: ImageSet, images: ImageView, chosen: np.ndarray) -> Slices:
        """Return those of the images at indices `chosen` that are slices of volumes."""
        slices = np.array([i for i in chosen.tolist() if data.origins[i].volume], np.int64)
        return cls(
            images.subset(slices)[:],
            [data.groups[i] for i in slices],
            [data.origins[i].volume for i in slices],
        )


@dataclass(frozen=True)
class TrainingData:
    """Images on [-1, 1] on the device, split into training images and held-out ones.

    Attributes:
        train: (n_train, c, s, s), duplicates included.
        distinct: (m, c, s, s), the distinct images of `train`, in random order.
        distinct_groups: patient, volume or name of each of `distinct`.
        held_out: (n_held_out, c, s, s), distinct, in random order.
        held_out_groups: patient, volume or name of each held-out image.
        held_out_volumes: the volume that each of them is a slice of, "" if of none.
        copies: the copies and near-copies of held-out images that are slices of volumes, which are not whole without.
        value_range: lowest and highest raw value (`ImageSet.value_range`).
        n: number of images before the split.
        n_distinct: number of distinct ones among them.
        channels: c.
    """

    train: ImageView
    distinct: ImageView
    distinct_groups: list[str]
    held_out: Tensor
    held_out_groups: list[str]
    held_out_volumes: list[str]
    copies: Slices
    value_range: tuple[float, float] | None
    n: int
    n_distinct: int
    channels: int

    @property
    def image_size(self) -> int:
        """Height and width s of the images, in pixels."""
        return self.train.shape[-1]

    @classmethod
    def from_images(cls, data: ImageSet, seed: int, device: torch.device) -> TrainingData:
        """Scale and split images for training, if there are enough.

        Raises:
            DataError: too few images, distinct images or groups.
        """
        value_range = data.value_range()
        images = ImageView.from_set(data, value_range, device)
        if len(images) < TRAINING_BATCH + FEWEST_HELD_OUT:
            raise DataError(
                f"{data.source}: {len(images)} images; at least {TRAINING_BATCH + FEWEST_HELD_OUT} are needed: "
                f"{TRAINING_BATCH} to train on (one batch) and {FEWEST_HELD_OUT} to hold out"
            )
        training, held_out, distinct = split(images, data.groups, seed)
        n_training = len(np.intersect1d(training, distinct))
        if n_training < TRAINING_BATCH or len(held_out) < FEWEST_HELD_OUT:
            raise DataError(
                f"{data.source}: {len(images)} images in {len(set(data.groups))} groups, {len(distinct)} of them "
                f"distinct, leave {n_training} for training and {len(held_out)} held out; at least {TRAINING_BATCH} "
                f"and {FEWEST_HELD_OUT} are needed: add images of other patients or volumes"
            )
        n_distinct = len(distinct)
        n_merged = len(images) - n_distinct
        if n_merged:
            warnings.warn(
                f"{n_merged} of {len(images)} images are copies or near-copies of others; they are kept for training, "
                "and entropies are taken over the distinct ones",
                FitWarning,
                stacklevel=3,
            )
        held_out = np.random.default_rng(seed).permutation(held_out)
        patients = {data.groups[i] for i in held_out}
        others = np.setdiff1d(np.arange(len(images)), np.concatenate([training, held_out]))
        copies = np.array([i for i in others.tolist() if data.groups[i] in patients], np.int64)
        distinct = np.random.default_rng(seed).permutation(np.intersect1d(training, distinct))
        return cls(
            train=images.subset(training),
            distinct=images.subset(distinct),
            distinct_groups=[data.groups[i] for i in distinct],
            held_out=images.subset(held_out)[:],
            held_out_groups=[data.groups[i] for i in held_out],
            held_out_volumes=[data.origins[i].volume for i in held_out],
            copies=Slices.of(data, images, copies),
            value_range=value_range,
            n=len(images),
            n_distinct=n_distinct,
            channels=images.shape[1],
        )


def without_constant(data: ImageSet, skip: bool) -> ImageSet:
    """Return the images that are not of one constant value.

    Args:
        data: images.
        skip: leave constant images out and list them in `unreadable`.

    Raises:
        DataError: some images are constant and `skip` is not set, or all are.
    """
    constant = data.constant()
    if not len(constant):
        return data
    if len(constant) == len(data) or not skip:
        names = ", ".join(data.names[i] for i in constant[:5]) + (", ..." if len(constant) > 5 else "")
        raise DataError(
            f"{data.source}: {len(constant)} of {len(data)} images have one constant value and show nothing: {names}. "
            "Remove them, or leave them out with skip_unreadable=True (--skip-unreadable)"
        )
    left_out = [(data.names[i], "all pixels have one value") for i in constant]
    kept = data.subset(np.setdiff1d(np.arange(len(data)), constant))
    return replace(kept, unreadable=[*data.unreadable, *left_out])
