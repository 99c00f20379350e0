"""A look at a set of images before any training: what it holds, and what `fit` would do with it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from entropix._utils import each_batch, in_batches, resolve_device
from entropix.data import DataError, Globs, ImageSet, ImageView, Select, allocate, read, survey
from entropix.detector._circumstances import default_epochs
from entropix.detector._inspection import Inspection
from entropix.exceptions import FitWarning
from entropix.selection import MEASURED_IMAGES, ImageEntropy
from entropix.training import TrainingData, image_duplicates, without_constant

# An image is clipped if more of its pixels than this are at the top of the scale.
CLIPPED_SHARE = 0.05
FEWEST_FOR_ENTROPY = 50


def inspect(
    dataset: Any,
    *,
    image_size: int = 32,
    select: Select | None = None,
    include: Globs = None,
    exclude: Globs = None,
    seed: int = 0,
    device: str = "auto",
    keep_ids: bool = False,
    cache: Any = True,
    progress: bool = False,
) -> Inspection:
    """Read the images that `entropix.fit` would train on, and say what they are.

    Args:
        dataset: images, as for `entropix.fit`.
        image_size: as for `entropix.fit`.
        select: as for `entropix.fit`.
        include: as for `entropix.fit`.
        exclude: as for `entropix.fit`.
        seed: as for `entropix.fit`.
        device: as for `entropix.fit`; the images are looked at on the CPU.
        keep_ids: name patients and series as their files do, not by pseudonyms.
        cache: as for `entropix.fit`.
        progress: show a progress bar on standard error.

    Raises:
        DataError: what is no source of images, such as a path that does not exist. All else is part of the answer:
            files that cannot be read, and why `fit` would refuse.
    """
    options: dict[str, Any] = {"image_size": image_size, "select": select, "include": include, "exclude": exclude}
    options |= {"keep_ids": keep_ids, "cache": cache, "progress": progress}
    images = survey(dataset, split="train", **options)
    if not len(images):
        return _of_nothing(images)
    constant = [images.names[i] for i in images.constant()]
    x = ImageView.from_set(images, images.value_range(), torch.device("cpu"))
    clipped = in_batches(lambda batch: (batch >= 1 - 2e-6).float().mean((1, 2, 3)), x) > CLIPPED_SHARE
    prepared, problem = _prepared(images, seed)
    if prepared is not None and not constant:
        n_duplicates = prepared.n - prepared.n_distinct
    else:  # not counted yet, or counted without the constant images
        keep = image_duplicates(x).keep.cpu().numpy() if len(x) > 1 else np.arange(len(x))
        n_duplicates = len(images) - len(keep)
    # the same images that fit measures, where there are enough
    distinct = x.subset(np.setdiff1d(keep, images.constant())) if prepared is None else prepared.distinct
    return Inspection(
        source=images.source,
        counts={
            "n_images": len(images),
            "n_files": len({origin.path for origin in images.origins if origin.path}) or None,
            "n_volumes": len({origin.volume for origin in images.origins if origin.volume}) or None,
            "n_groups": len(set(images.groups)),
            "n_masks": len({path for paths in images.masks.values() for path in paths}) or None,
            "n_normal": int((images.labels == 0).sum()) or None,
            "n_duplicates": n_duplicates,
            "n_duplicates_across_splits": _across_splits(dataset, images, options),
        },
        kinds=_tally(origin.kind for origin in images.origins),
        series=_tally(origin.series for origin in images.origins if origin.series),
        bits=_tally(str(origin.bits) for origin in images.origins if origin.bits),
        sizes=_tally(f"{height} x {width}" for height, width in images.sizes.tolist()),
        value_range=images.value_range(),
        constant=constant,
        clipped=[name for name, is_clipped in zip(images.names, clipped.tolist(), strict=True) if is_clipped],
        unreadable=[(name, reason) for name, reason in images.unreadable],
        passed_over=images.passed_over,
        entropy=ImageEntropy(distinct).value if len(distinct) >= FEWEST_FOR_ENTROPY else None,
        plan=[] if prepared is None else _plan(images, prepared, device),
        problem=problem,
    )


def _of_nothing(images: ImageSet) -> Inspection:
    """What is said of a source without an image to read."""
    return Inspection(
        source=images.source,
        counts={"n_images": 0},
        kinds={},
        series={},
        bits={},
        sizes={},
        value_range=None,
        constant=[],
        clipped=[],
        unreadable=images.unreadable,
        passed_over=images.passed_over,
        entropy=None,
        problem=images.problem or "no readable image",
    )


def _across_splits(dataset: Any, train: ImageSet, options: dict[str, Any]) -> int | None:
    """Number of training images with a copy or near-copy among the test images; None without comparable test images."""
    try:
        test = read(dataset, split="test", skip_unreadable=True, **options | {"progress": False})
    except DataError:  # no such split, or nothing in it that can be compared
        return None
    if set(test.names) & set(train.names) or isinstance(dataset, ImageSet):  # the source has no splits
        return None
    value_range = train.value_range()
    if test.pixels.shape[1:] != train.pixels.shape[1:]:
        return None
    both, start = allocate((len(train) + len(test), *train.pixels.shape[1:])), 0
    for one in (train, test):
        try:
            scaling = one.scaling(value_range)
        except DataError:
            return None
        for batch in each_batch(scaling, one.pixels):
            both[start : start + len(batch)] = batch
            start += len(batch)
    group = image_duplicates(both).group.cpu().numpy()
    return int(np.isin(group[: len(train)], group[len(train) :]).sum())


def _prepared(images: ImageSet, seed: int) -> tuple[TrainingData | None, str]:
    """Images as `fit` would split them, or why it would not."""
    if images.problem:
        return None, images.problem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            return TrainingData.from_images(without_constant(images, skip=True), seed, torch.device("cpu")), ""
    except DataError as error:
        return None, str(error)


def _plan(images: ImageSet, prepared: TrainingData, device: str) -> list[str]:
    """The steps that `fit` would take, as sentences."""
    size, left_out = prepared.image_size, len(images) - prepared.n
    colour = {1: "grey", 3: "colour"}.get(prepared.channels, f"{prepared.channels} channels")
    plan = [
        f"read {len(images):,} images as {size} x {size} pixels, {colour}",
        f"leave out {left_out:,} images of one value (--skip-unreadable)" if left_out else "",
        f"leave out {len(images.unreadable):,} unreadable files (--skip-unreadable)" if images.unreadable else "",
        f"train on {len(prepared.train):,} of them and hold {len(prepared.held_out):,} out, no patient, volume or "
        "duplicate on both sides",
        f"take {default_epochs(len(prepared.train)):,} passes over them on {resolve_device(device)}",
        f"measure entropies on {min(len(prepared.distinct), MEASURED_IMAGES):,} distinct training images, and choose d",
    ]
    return [sentence for sentence in plan if sentence]


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
