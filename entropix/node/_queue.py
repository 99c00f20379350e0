"""Studies on disk, in a folder for each state; what is in which state survives any crash.

    receiving/        objects of which a part has come
    arriving/STUDY    whole objects of a study that may not be complete
    ready/STUDY.K     complete, to be scored; K counts what came of one study at different times
    sending/STUDY.K   its results, to be sent
    results/STUDY.K   its results
    failed/STUDY.K    what cannot be scored, with `reason.txt`

An object or a study goes from one state to the next by a rename, which happens or does not. A study leaves `ready`
after its results are whole in `sending`: where both are there, after a crash, the results count. Whoever moves a folder
back by hand has that step done again.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from entropix._utils import remove_leftovers

LOG = logging.getLogger("entropix.node")
STATES = ("receiving", "arriving", "ready", "sending", "results", "failed")
UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")  # PS3.5, 9.1; nothing else becomes the name of a file


class Queue:
    """Studies on disk; several threads may use it, and one process.

    Args:
        folder: for all states; it is made, or holds what an earlier process left.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self.make_states()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A block in which no other process, or other `Queue`, has the folder.

        Raises:
            OSError: the folder is in use by another node.
        """
        import fcntl

        with (self.folder / ".lock").open("w") as file:  # the lock goes with the process, however that ends
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(f"{self.folder} is in use by another node") from error
            yield

    @property
    def receiving(self) -> Path:
        """Return the folder for objects of which a part has come."""
        return self.folder / "receiving"

    def add(self, received: Path, study: str, sop: str) -> None:
        """Take a whole object in; when this returns, it is on disk.

        Args:
            received: its file, in `receiving`.
            study: Study Instance UID.
            sop: SOP Instance UID; an object that is sent twice is one.

        Raises:
            ValueError: these are no UIDs.
            OSError: the disk is full, or worse.
        """
        if not (UID.fullmatch(study) and UID.fullmatch(sop)):
            raise ValueError(f"study {study!r}, object {sop!r}; expected UIDs, numbers with dots between them")
        _sync(received)
        with self._lock:
            folder = self.folder / "arriving" / study
            folder.mkdir(exist_ok=True)
            received.replace(folder / f"{sop}.dcm")
            _sync(folder)
        _sync(folder.parent)

    def arriving(self) -> list[str]:
        """Return the UIDs of studies that may not be complete, those that came first before others."""
        return self._names("arriving")

    def complete(self, study: str, quiet: float) -> None:
        """Let a study be ready of which nothing has come for `quiet` seconds."""
        folder = self.folder / "arriving" / study
        with self._lock:
            if abs(time.time() - folder.stat().st_mtime) >= quiet:  # a clock may have been set back
                folder.rename(self.folder / "ready" / self._next_name(study))

    def ready(self) -> list[str]:
        """Return the names of complete studies, those that came first before others."""
        return self._names("ready")

    def to_send(self) -> list[str]:
        """Return the names of studies whose results are to be sent: whole ones, whose objects are forgotten."""
        return [name for name in self._names("sending") if not self.objects(name).exists()]

    def objects(self, name: str) -> Path:
        """Return the folder with the objects of a complete study."""
        return self.folder / "ready" / name

    def outgoing(self, name: str) -> Path:
        """Return the folder for the results of a study."""
        return self.folder / "sending" / name

    def scored(self, name: str) -> None:
        """Forget the objects of a study whose results are in `outgoing`, as soon as these are on disk."""
        sync_tree(self.outgoing(name))
        _sync(self.outgoing(name).parent)
        shutil.rmtree(self.objects(name))

    def sent(self, name: str) -> None:
        """Keep what is left in `outgoing` as results."""
        self.outgoing(name).rename(self.folder / "results" / name)

    def fail(self, name: str, reason: str) -> bool:
        """Put a study aside that can't be scored or sent; return whether that was possible."""
        folder = self.objects(name) if self.objects(name).exists() else self.outgoing(name)
        _say(folder / "reason.txt", reason)
        try:
            folder.rename(self.folder / "failed" / name)
        except OSError:
            return False
        return True

    def recover(self) -> None:
        """Remove what a killed process had begun; call it before anything else."""
        for path in self.receiving.iterdir():  # their senders were never told that these had come
            with _told(path):
                path.unlink()
        for name in self.ready():
            with _told(self.outgoing(name)):
                remove_leftovers(self.outgoing(name))

    def make_states(self) -> None:
        """Make the folders that are missing: whoever clears results away may take the folder, too."""
        for state in STATES:
            (self.folder / state).mkdir(parents=True, exist_ok=True)

    def _names(self, state: str) -> list[str]:
        """Return the names of the folders of a state, the oldest first."""
        found = []
        for path in (self.folder / state).iterdir():
            with suppress(FileNotFoundError):  # moved away by hand
                if path.is_dir() and not path.name.startswith("."):
                    found.append((path.stat().st_mtime, path.name))
        return [name for _, name in sorted(found)]

    def _next_name(self, study: str) -> str:
        k = 1
        while any((self.folder / state / f"{study}.{k}").exists() for state in STATES):
            k += 1
        return f"{study}.{k}"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A block whose failure is told, and keeps no other study from being taken up."""
    try:
        yield
    except OSError as error:
        LOG.error("%s is left as it is: %s", path, error)


def _say(path: Path, reason: str) -> None:
    """Write down why a study was put aside, if the disk has room."""
    with suppress(OSError):
        path.write_text(f"{reason}\n", encoding="utf-8", errors="backslashreplace")


def sync_tree(folder: Path) -> None:
    """Have a folder and all that is below it on disk."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
