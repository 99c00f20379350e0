"""`read`: any source to an `ImageSet`; `survey`: the same without refusing anything."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

from entropix._utils import as_path, check_switches, is_whole, track
from entropix.data._assemble import assemble, describe, several_modalities
from entropix.data._blocks import with_channels
from entropix.data._cache import WORTH_SECONDS, Cache, default_folder
from entropix.data._choice import Choice, Globs, as_globs, nothing_chosen
from entropix.data._files import load
from entropix.data._imageset import ImageSet
from entropix.data._passed_over import MASK_BY_CONTENT, in_short, to_choose_from
from entropix.data._privacy import mark_of_salt
from entropix.data._quiet import quiet_readers
from entropix.data._select import Select
from entropix.data._sources import Files, Stream, open_source
from entropix.data._truth import used_masks, with_masks_by_content
from entropix.exceptions import DataError


def read(
    dataset: Any,
    *,
    image_size: int = 64,
    split: str = "train",
    channels: int | None = None,
    select: Select | None = None,
    include: Globs = None,
    exclude: Globs = None,
    skip_unreadable: bool = False,
    keep_ids: bool = False,
    cache: bool | str | Path = True,
    progress: bool = False,
) -> ImageSet:
    """Read images, resized to `image_size` x `image_size`, float32.

    Args:
        dataset: one of
            a folder of image files (`entropix.data.formats`), searched below (docs/data.md: its layouts),
            one such file, or a path with * for several,
            `.npy`, or `.npz` with one array, images (and labels), or MedMNIST's keys,
            an array or tensor (n, h, w), (n, c, h, w) or (n, h, w, 3) of any real dtype,
            a list of arrays or of paths,
            a torch `Dataset` of images or of (image, label),
            an `ImageSet`, which passes through.
            Labels are 0 normal, 1 abnormal.
        image_size: height and width s of the result, in pixels.
        split: "train": normal images only, as far as the source knows; "test": test images with labels.
            A source without splits gives all its images for either.
        channels: 1 or 3 forces grey or colour, for example that of a fitted model. None: grey unless most
            of the images show real colour.
        select: which slices of volumes, which series of DICOM folders, which entities of BIDS names.
        include: a glob, or several: read the files that one of them matches, by the path in the folder, the name or a
            folder above. * stands for any text, with / in it too.
        exclude: the same for files to leave out.
        skip_unreadable: leave out what cannot be read and list it in `unreadable`.
        keep_ids: name patients and series as their files do, not by pseudonyms.
        cache: keep the images of files whose reading takes more than a second in the user's cache folder for the
            next time; a folder: keep all there; False: keep nothing.
        progress: show a bar on standard error, if that is a terminal.

    Raises:
        DataError: unknown path, nothing to read, an unreadable item (unless skipped), NaN or infinite values,
            a wrong shape, dtype or label, DICOM files of several modalities.
    """
    check_switches({"skip_unreadable": skip_unreadable})
    images = survey(
        dataset,
        image_size=image_size,
        split=split,
        channels=channels,
        select=select,
        include=include,
        exclude=exclude,
        keep_ids=keep_ids,
        cache=cache,
        progress=progress,
        refuse=True,
    )
    # whoever read a set has decided about what could not be read
    _check_read(images, skip_unreadable or isinstance(dataset, ImageSet))
    return images


def survey(
    dataset: Any,
    *,
    image_size: int = 64,
    split: str = "train",
    channels: int | None = None,
    select: Select | None = None,
    include: Globs = None,
    exclude: Globs = None,
    keep_ids: bool = False,
    cache: bool | str | Path = True,
    progress: bool = False,
    refuse: bool = False,
) -> ImageSet:
    """Read what there is, which may be nothing; `problem` says why no model can take it, `unreadable` what is missing.

    Args:
        dataset, image_size, split, channels, select, include, exclude, keep_ids, cache, progress: as for `read`.
        refuse: raise a problem as soon as it is seen.

    Raises:
        DataError: what is no source of images, such as a path that does not exist; a problem, if it is refused.
    """
    _check_arguments(image_size, split, channels)
    check_reading(select, cache, include, exclude)
    check_switches({"keep_ids": keep_ids, "progress": progress})
    if isinstance(dataset, ImageSet):
        return _pass_through(dataset, image_size, split, channels)
    select = select or Select()
    choice = Choice(as_globs(include, "include"), as_globs(exclude, "exclude"), select)
    try:
        found = open_source(dataset, int(image_size), split, channels, choice)
    except DataError as error:
        if refuse or not isinstance(dataset, str | Path) or not str(dataset) or not Path(dataset).is_dir():
            raise
        found = Files([], f"folder {dataset}", problem=str(error))
    if isinstance(found, Stream):
        blocks = chain.from_iterable(track(found.blocks, "reading images", progress, found.total))
        images = assemble(blocks, channels=channels, source=found.source)
    else:
        if found.problem and refuse:
            raise DataError(found.problem)
        images = _read_files(found, int(image_size), channels, select, keep_ids, cache, progress)
        none_left = not len(images) and to_choose_from(images.passed_over)
        problem = nothing_chosen(found.source, choice, images.passed_over) if none_left else images.problem
        items = with_masks_by_content(found.items, {name for name, why in images.passed_over if why == MASK_BY_CONTENT})
        masks, unused = used_masks(items, images)
        images = replace(
            images,
            unreadable=found.unreadable + images.unreadable,
            passed_over=found.passed_over + images.passed_over + unused,
            masks=masks,
            problem=found.problem or problem,
        )
    problem = images.problem or several_modalities(images, select)
    images = replace(images, select=select, include=choice.include, exclude=choice.exclude, problem=problem)
    if images.problem and refuse:
        raise DataError(images.problem)
    return images


def _check_arguments(image_size: Any, split: Any, channels: Any) -> None:
    if not is_whole(image_size, 2):
        raise DataError(f"image_size={image_size!r}; expected a whole number of pixels, at least 2")
    if split not in ("train", "test"):
        raise DataError(f"split={split!r}; expected 'train' or 'test'")
    if channels is not None and not is_whole(channels, 1):
        raise DataError(f"channels={channels!r}; expected 1 (grey), 3 (colour), the array's own number, or None")


def check_reading(select: Any, cache: Any, include: Any = None, exclude: Any = None) -> None:
    """Raise TypeError or ValueError unless these are a choice of what to read, and where to keep it."""
    as_globs(include, "include")
    as_globs(exclude, "exclude")
    if select is not None and not isinstance(select, Select):
        raise TypeError(f"select={select!r}; expected entropix.data.Select, such as Select(axis='coronal'), or None")
    if not isinstance(cache, bool):
        try:
            as_path(cache, "cache")
        except TypeError:
            raise TypeError(f"cache={cache!r}; expected True, False or a folder") from None


def _check_read(images: ImageSet, skip_unreadable: bool) -> None:
    """Raise DataError if there is no image, or an item that could not be read and is not to be left out."""
    if images.unreadable and not skip_unreadable:
        raise DataError(
            f"{images.source}: {len(images.unreadable)} unreadable: {describe(images.unreadable)}. "
            "Repair or remove them, or leave them out with skip_unreadable=True (--skip-unreadable)"
        )
    if not len(images):
        told = "; ".join([*in_short(images.unreadable), *in_short(images.passed_over)])
        raise DataError(f"{images.source}: no readable image. {told}")


def _read_files(
    found: Files,
    image_size: int,
    channels: int | None,
    select: Select,
    keep_ids: bool,
    cache: bool | str | Path,
    progress: bool,
) -> ImageSet:
    """Return the images of files: those kept from the last time, or decoded."""
    from joblib import Parallel, cpu_count, delayed

    if not found.items:
        return assemble((), channels=channels, source=found.source)
    quiet_readers()
    started = time.monotonic()
    settings = {"image_size": image_size, "channels": channels, "select": asdict(select), "keep_ids": keep_ids}
    kept = _cache(cache, found, settings)
    if kept and (images := kept.load()):
        return replace(images, source=found.source)
    # decoders release the interpreter lock; results come in the order of the files
    workers = min(len(found.items), max(2, cpu_count()))
    pool = Parallel(n_jobs=workers, prefer="threads", return_as="generator")
    stream = pool(delayed(load)(item, image_size, channels, select, keep_ids) for item in found.items)
    blocks = chain.from_iterable(track(stream, "reading images", progress, len(found.items)))
    images = assemble(blocks, channels=channels, source=found.source)
    if kept and not images.problem and (cache is not True or time.monotonic() - started > WORTH_SECONDS):
        kept.store(images)
    return images


def _cache(cache: bool | str | Path, found: Files, settings: dict[str, Any]) -> Cache | None:
    """Return where the images of files are kept; None if nowhere: not wanted, no home, or no lasting pseudonyms."""
    if cache is False:
        return None
    folder, salt = default_folder() if cache is True else Path(cache), mark_of_salt()
    return None if folder is None or salt is None else Cache(folder, found.items, settings, salt)


def _pass_through(images: ImageSet, image_size: int, split: str, channels: int | None) -> ImageSet:
    """Return an ImageSet as it is, without labelled abnormal images for training."""
    if images.pixels.shape[-2:] != (image_size, image_size):
        size = " x ".join(str(length) for length in images.pixels.shape[-2:])
        raise DataError(f"an ImageSet of {size} pixels where image_size={image_size} is asked: read the source again")
    if split == "train" and (images.labels == 1).any():
        images = images.subset(images.labels != 1)
    if channels is None or images.pixels.shape[1] == channels:
        return images
    return replace(images, pixels=with_channels(images.pixels, channels))
