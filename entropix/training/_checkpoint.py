"""Checkpoints: the state from which an interrupted fit or sweep is resumed.

While a result `OUT` is being computed, the folder `OUT.checkpoint/` stands beside it. It is removed once the result is
there:

    checkpoint.json      the settings of the run, and a hash of its images
    NAME.safetensors     the state of one training, its numbers as JSON in the header

A file appears by a rename, whole or not at all, and nothing in it is ever executed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from entropix._utils import remove_leftovers
from entropix.exceptions import CheckpointError, CheckpointWarning

ABOUT, SUFFIX = "checkpoint.json", ".safetensors"
SECONDS = 30.0  # between two checkpoints of a training
# Free space that is asked for, in first states: with Adam's moments a state takes 3, it is written beside the last one,
# and the result beside both.
ROOM = 8


class Checkpoint:
    """The checkpoint of the fit or sweep that writes its result to `out`.

    Args:
        out: where the result will be written; the checkpoint is the folder `OUT.checkpoint` beside it.
        resume: resume from the checkpoint that is there.
        stacklevel: of the warning that there is nothing to resume, as for `warnings.warn`.
        overwrite: replace the checkpoint that is there.

    Attributes:
        begun: True after `begin` has succeeded: what the folder holds is then this run's, and not an older one's.
        over: set it to True to take every training as finished in the state that the folder holds. Nothing is written
            any more.

    Raises:
        FileExistsError: a checkpoint is there, and neither `resume` nor `overwrite` is set; or other files are there.
        CheckpointError: the checkpoint to resume from is damaged.
    """

    def __init__(self, out: Path, *, resume: bool = False, overwrite: bool = False, stacklevel: int = 3) -> None:
        self.out = out.absolute()
        self.folder = self.out.with_name(f"{self.out.name}.checkpoint")
        self.begun = self.over = False
        self._known: dict[str, Any] | None = None
        names = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
        if any(ABOUT not in name and SUFFIX not in name for name in names):
            raise FileExistsError(f"{self.folder} holds other files than a checkpoint; choose another place than {out}")
        if resume and ABOUT in names:
            self._known = self._read()
        elif resume:
            warnings.warn(f"no checkpoint at {self.folder}: starting anew", CheckpointWarning, stacklevel=stacklevel)
        elif names and not overwrite:
            raise FileExistsError(
                f"{self.folder} is the checkpoint of an interrupted run; go on with resume=True (--resume), or remove "
                "it to start anew"
            )

    @property
    def resumes(self) -> bool:
        """True if there is a checkpoint to resume from."""
        return self._known is not None

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Start a checkpoint of these settings, or check that the one to resume from has the same.

        Args:
            settings: JSON values by name.

        Raises:
            CheckpointError: the checkpoint has other settings; the message says which.
            OSError: the folder can't be written.
        """
        if self._known is None:
            self.remove()
            self.folder.mkdir(parents=True)
            _write(self.folder / ABOUT, json.dumps(settings).encode())
            self._known = dict(settings)
            self.begun = True
            return
        remove_leftovers(self.out)
        here, there = dict(settings), self._known
        other = [f"{n} {there.get(n)} there, {here.get(n)} here" for n in here | there if there.get(n) != here.get(n)]
        if other:
            raise CheckpointError(
                f"{self.folder} is a checkpoint of other data or settings ({'; '.join(other)}); give the same ones, or "
                "remove it to start anew"
            )
        self.begun = True

    def load(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the tensors and facts of the training `name`; None if it has not begun.

        Raises:
            CheckpointError: the file is damaged.
        """
        from safetensors import SafetensorError, safe_open

        path = self._path(name)
        if not path.exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                facts = json.loads(file.metadata()["facts"])
                return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118 (no mapping)
        except (SafetensorError, ValueError, LookupError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); remove it to start this training anew") from error

    def epochs(self, besides: str | None = None) -> int:
        """Return the number of epochs that its trainings have completed; 0 before this run has begun.

        Args:
            besides: name of a training that does not count.
        """
        if not self.begun:
            return 0
        names = [path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}")]
        return sum(len(known[1]["losses"]) for name in names if name != besides and (known := self.load(name)))

    def save(self, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write the state of the training `name` in place of its last one.

        Args:
            name: the training.
            tensors: its tensors by name.
            facts: JSON values by name.

        Raises:
            OSError: the first state can't be written, or there is no room for what follows. Later failures are
                warnings: the last state stays, and the training is worth more than its checkpoint.
        """
        from safetensors.torch import save

        if self.over:
            return
        path = self._path(name)
        data = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, _header(facts))
        try:
            if not path.exists():
                _check_room(self.folder, ROOM * len(data))
            _write(path, data)
        except OSError as error:
            if path.exists():
                warnings.warn(f"no checkpoint written, the last one stays: {error}", CheckpointWarning, stacklevel=2)
                return
            if not any(self.folder.glob(f"*{SUFFIX}")):
                self.remove()
            raise

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the checkpoint until the block ends without an error: then the result is there.

        A KeyboardInterrupt in the block gets a message that says how to resume.
        """
        try:
            yield
        except KeyboardInterrupt as interrupt:
            if str(interrupt) or not self.resumes:
                raise
            raise KeyboardInterrupt(
                f"interrupted; {self.folder} holds all but at most the last {SECONDS:.0f} seconds: go on with "
                "resume=True (the same command and --resume)"
            ) from None
        self.remove()

    def remove(self) -> None:
        """Remove the checkpoint; `checkpoint.json`, which says that there is one, goes last."""
        with contextlib.suppress(OSError):
            for path in sorted(self.folder.iterdir(), key=lambda path: path.name == ABOUT):
                path.unlink()
            self.folder.rmdir()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"

    def _read(self) -> dict[str, Any]:
        try:
            known = json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
            if isinstance(known, dict):
                return known
            reason = "not an object"
        except ValueError as error:
            reason = str(error)
        raise CheckpointError(f"{self.folder / ABOUT} is damaged ({reason}); remove {self.folder} to start anew")


def hash_of(x: Tensor, names: Iterable[str] = ()) -> str:
    """Return a hash of a tensor's values and shape, and of the names that go with its rows."""
    digest = hashlib.blake2b(x.contiguous().view(torch.uint8).numpy().data, digest_size=20)
    digest.update(json.dumps([list(x.shape), str(x.dtype), list(names)]).encode())
    return digest.hexdigest()


def _header(facts: Mapping[str, Any]) -> dict[str, str]:
    return {"facts": json.dumps(facts)}


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free", str(folder))


def _write(path: Path, data: bytes) -> None:
    # a worker of a killed sweep may still be writing, to a partial file of its own
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a rename may otherwise reach the disk before the content
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
