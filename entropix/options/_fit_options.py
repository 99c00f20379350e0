"""`FitOptions`: every option of a fit, with its default, its flag and its check.

The command line shows the flags in its help, which is not to wait for torch: what the checks stand on is imported by
`_check`, when there is something to check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from operator import not_
from typing import TYPE_CHECKING, Any, Literal

from entropix.options._flag import (
    Flag,
    globs_words,
    parse_globs,
    parse_latent_dim,
    parse_select,
    select_words,
    switch_words,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lightning_fabric import Fabric

    from entropix.data import Globs, Select
    from entropix.strategies import StrategyName
    from entropix.training import Epoch


def _about(flag: Flag, *, parameter: bool = False) -> dict[str, Any]:
    """Metadata of a field of `FitOptions`; parameter: the detector's constructor takes it, a model folder keeps it."""
    return {"flag": flag, "parameter": parameter}


def _globs(help: str) -> Flag:
    text = f"{help}: its path, its name, or a folder above; may be repeated."
    return Flag(text, type=list[str] | None, parse=parse_globs, words=globs_words, repeat=True)


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The options of a fit.

    Args:
        latent_dim: d, or "auto": the one where the code holds what normal images have in common and not more
            (`entropix.selection`).
        strategy: how "auto" gets there for images: "select" trains one nested autoencoder, measures every candidate d
            from 1 to 128 and cuts the code at the chosen one; "prune" trains a wide code, turns it to its principal
            axes, cuts it and trains further; "constrain" makes the length of the code part of the training. Each is one
            training.
        architecture: architecture of the autoencoder of images, a name in `entropix.models.ARCHITECTURES`.
        image_size: images are resized to image_size x image_size pixels, a multiple of 16.
        epochs: passes over the training images. None: as many as show 100,000 images, between 25 and 600 passes.
        seed: seed of the split, the initial weights and the order of the images. The same seed, data, device and
            versions give the same detector.
        alpha: share of normal images that `predict` may call anomalous.
        device: "auto", "cpu", "cuda" or "cuda:N".
        select: which slices of volumes, which series of DICOM folders, which entities of BIDS names
            (`entropix.data.Select`).
        include: a glob, or several: read the files that one of them matches, by the path in the folder, the name or a
            folder above. * stands for any text, with / in it too.
        exclude: the same for files to leave out.
        cache: True: keep decoded images in the user's cache folder; a folder: keep them there; False: keep nothing.
        skip_unreadable: leave out files that cannot be read, and images of one constant value.
        out: folder to save the detector to, checked before any work and written at the end. Until then
            `OUT.checkpoint` beside it holds the state of the training, every half minute.
        overwrite: let `out` be a folder that already holds a model.
        resume: resume from the checkpoint that an interrupted fit to `out` left; the fit ends as that one would have.
            If there is none, a warning says so and the fit starts anew.
        progress: show a progress bar on standard error or, if that is no terminal, a line every quarter of a minute.
        on_epoch: called after every epoch with its number, their number, the mean loss, the seconds so far and, now
            and then, the error of held-out images and the entropy of their reconstructions (`entropix.training.Epoch`).
            It changes nothing about the result.
        fabric: a launched Lightning `Fabric` (`entropix.distributed.launch`): the training is then divided among its
            processes, on its devices instead of `device`. The first process alone writes, shows progress and calls
            `on_epoch`.

    Raises:
        ValueError: an option out of its range.
        TypeError: an option of another type.
    """

    latent_dim: int | Literal["auto"] = field(
        default="auto",
        metadata=_about(Flag("auto, or a number.", type=str, parse=parse_latent_dim, repeat=True), parameter=True),
    )
    strategy: StrategyName = field(
        default="select",
        metadata=_about(Flag("How auto finds it: select, prune, constrain.", type=str, repeat=True), parameter=True),
    )
    architecture: str = field(
        default="convolutional",
        metadata=_about(Flag("Of the autoencoder of images: convolutional.", repeat=True), parameter=True),
    )
    image_size: int = field(
        default=32,
        metadata=_about(
            Flag("Images are resized to this many pixels squared, a multiple of 16.", repeat=True), parameter=True
        ),
    )
    epochs: int | None = field(
        default=None,
        metadata=_about(
            Flag("Passes over the training images; default: by their number.", least=1, repeat=True), parameter=True
        ),
    )
    seed: int = field(
        default=0,
        metadata=_about(Flag("Of the split, the weights and the order of the images.", repeat=True), parameter=True),
    )
    alpha: float = field(
        default=0.05,
        metadata=_about(Flag("Share of normal images that may be called anomalous.", repeat=True), parameter=True),
    )
    device: str = field(
        default="auto", metadata=_about(Flag("auto, cpu, cuda or cuda:N.", repeat=True), parameter=True)
    )
    select: Select | None = field(
        default=None,
        metadata=_about(
            Flag(
                "axis=coronal, slices=30:90, component=1, series=NAME, or suffix=T1w, acq=, run= ... of BIDS names; "
                "may be repeated.",
                type=list[str] | None,
                parse=parse_select,
                words=select_words,
                repeat=True,
            )
        ),
    )
    include: Globs = field(default=None, metadata=_about(_globs("Read only files that this glob matches")))
    exclude: Globs = field(default=None, metadata=_about(_globs("Leave out files that this glob matches")))
    cache: bool | str | Path = field(
        default=True,
        metadata=_about(Flag("Keep no decoded images for the next time.", type=bool, parse=not_, name="no-cache")),
    )
    skip_unreadable: bool = field(
        default=False,
        metadata=_about(Flag("Leave out what cannot be read, and list it.", words=switch_words, repeat=True)),
    )
    out: str | Path | None = None
    overwrite: bool = field(default=False, metadata=_about(Flag("Replace existing results.")))
    resume: bool = field(default=False, metadata=_about(Flag("Go on where the same command was interrupted.")))
    progress: bool = True
    on_epoch: Callable[[Epoch], None] | None = None
    fabric: Fabric | None = None

    def __post_init__(self) -> None:
        from entropix.options._check import check_options

        check_options(self)

    def parameters(self) -> dict[str, Any]:
        """Return the options that the detector's constructor takes."""
        return {one.name: getattr(self, one.name) for one in _parameters()}

    def reading(self) -> dict[str, Any]:
        """Return the arguments of `entropix.data.read`."""
        names = ("image_size", "select", "include", "exclude", "cache", "skip_unreadable", "progress")
        return {name: getattr(self, name) for name in names}


def _parameters() -> list[Field[Any]]:
    return [one for one in fields(FitOptions) if one.metadata.get("parameter")]


def flags() -> dict[str, tuple[Field[Any], Flag]]:
    """Return the options that the command line has, by name, each with its flag."""
    return {one.name: (one, flag) for one in fields(FitOptions) if (flag := one.metadata.get("flag"))}


def to_words(values: Mapping[str, Any]) -> list[str]:
    """Return the words of a command line that repeat a fit with the options that `values` holds."""
    words: list[str] = []
    for name, (_, flag) in flags().items():
        if flag.repeat and name in values:
            words += flag.words(flag.name or name.replace("_", "-"), values[name])
    return words
