"""`Node`: receives studies, scores each when it is complete, and sends or keeps the results.

A study is complete when nothing of it has come for a while, as DICOM does not say how much there is to come. What comes
later is scored as a part of its own. One study is in memory at a time, all others are on disk (`Queue`).
"""

from __future__ import annotations

import ipaddress
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from entropix import writers
from entropix._utils import new_folder
from entropix.data import ImageSet, in_short
from entropix.data.formats import DEFAULT_OBJECTS, check_objects
from entropix.detector import EntropixDetector, check_detector
from entropix.node._queue import Queue, sync_tree
from entropix.node._receiver import check_installed, receiving
from entropix.node._retries import FIRST_SECONDS, Retries
from entropix.node._sender import Destination, Unreachable, send

LOG = logging.getLogger("entropix.node")
POLL_SECONDS = 0.2
CONNECTION = ""  # stands for the node that results are sent to, which all studies wait for
REFUSED = "refused.txt"


@dataclass
class Node:
    """A DICOM node around a detector.

    Attributes:
        detector: fitted to images.
        folder: for the queue and, below `results`, a folder for each study: score tables and, unless they are sent,
            DICOM heat maps, both with the identifiers of the study; objects that could not be read, in `unreadable`;
            those that the other node refuses, and why, in `refused.txt`.
        host: address to listen at.
        port: TCP port; 0: any that is free.
        ae_title: its AE title.
        allow: AE titles that may send to it; none: all, which is for the machine itself alone.
        to: node to which the heat maps are sent.
        quiet: seconds without another object after which a study is complete.
        dicom: kinds of DICOM objects that are made: "overlay", "map", "seg", "report", as for `write_heatmaps`.

    Raises:
        ModuleNotFoundError: the extra `node` is not installed.
        ValueError: a detector of vectors; no `allow` at an address that other machines reach; an unknown kind of
            object.
    """

    detector: EntropixDetector
    folder: Path
    host: str = "127.0.0.1"
    port: int = 11_112
    ae_title: str = "ENTROPIX"
    allow: Sequence[str] = ()
    to: Destination | None = None
    quiet: float = 30.0
    dicom: Sequence[str] = DEFAULT_OBJECTS

    def __post_init__(self) -> None:
        check_installed()
        check_objects(self.dicom)
        check_detector(self.detector)
        if self.detector.standard_ is not None:
            raise ValueError("this detector was fitted to flat feature vectors; a DICOM node is for images")
        if not self.allow and not _is_loopback(self.host):
            raise ValueError(
                f"host={self.host!r} can be reached from other machines: say which AE titles may send (allow, --allow)"
            )
        self.queue = Queue(Path(self.folder))
        self._stopped = threading.Event()
        self._retries = Retries()

    def run(self) -> None:
        """Receive, score and send until `stop` is called.

        Raises:
            OSError: the port is in use, or the folder, by another node.
        """
        with self.queue.alone():
            self.queue.recover()
            with receiving(self.queue, self.host, self.port, self.ae_title, self.allow) as self.port:
                LOG.info("%s listens at %s:%d", self.ae_title, self.host, self.port)
                while not self._stopped.is_set():
                    try:
                        pause = 0.0 if self.work() else POLL_SECONDS
                    except OSError as error:  # of the queue itself, such as a disk that is away
                        LOG.error("tried again later: %s", error)
                        pause = FIRST_SECONDS
                    self._stopped.wait(pause)

    def stop(self) -> None:
        """Let `run` return after the study that it is at."""
        self._stopped.set()

    def work(self) -> bool:
        """Do what is due: score the first study that is complete, send results; return whether one was complete."""
        self.queue.make_states()
        for study in filter(self._retries.due, self.queue.arriving()):
            self._try(self._complete, study)
        ready = list(filter(self._retries.due, self.queue.ready()))
        for name in ready[:1]:
            self._try(self._score, name)
        if self._retries.due(CONNECTION):
            for name in filter(self._retries.due, self.queue.to_send()):
                self._try(self._send, name)
                if not self._retries.due(CONNECTION):
                    break
        return bool(ready)

    def _try(self, step: Callable[[str], None], name: str) -> None:
        """Do a step with a study. What fails is tried again after a while or put aside: no study blocks others."""
        try:
            step(name)
        except Unreachable as error:
            LOG.warning("results are sent later: %s", error)
            self._retries.later(CONNECTION)
        except OSError as error:  # it may be over tomorrow, such as a disk that is full
            LOG.warning("%s is tried again later: %s", name, error)
            self._retries.later(name)
        except Exception as error:
            reason = str(error) or type(error).__name__
            LOG.error("%s is put aside in failed: %s", name, reason)
            if self.queue.fail(name, reason):
                self._retries.done(name)  # whoever moves it back need not wait
            else:
                self._retries.later(name)
        else:
            self._retries.done(name)

    def _complete(self, study: str) -> None:
        self.queue.complete(study, self.quiet)

    def _score(self, name: str) -> None:
        """Write the results of a study to where they are sent from."""
        if not self.queue.outgoing(name).exists():  # else they are whole, and the objects could not be removed
            images = self.detector.read(self.queue.objects(name), keep_ids=True, cache=False, skip_unreadable=True)
            scored = writers.score(self.detector, images, maps=True)
            with new_folder(self.queue.outgoing(name)) as folder:
                writers.write_heatmaps(folder / "maps", self.detector, images, True, self.dicom, scored)
                writers.write_scores(folder / "scores.csv", images, scored)
                writers.write_volume_scores(folder / "scores.volumes.csv", images, scored.volumes)
                self._keep_unreadable(name, images, folder / "unreadable")
                sync_tree(folder)  # before its new name says that it is whole
            LOG.info("%s: %d images, %d anomalous", name, len(images), int(scored.anomalous.sum()))
        self.queue.scored(name)

    def _keep_unreadable(self, name: str, images: ImageSet, folder: Path) -> None:
        """Copy the objects of a study that could not be read to `folder`, and say which these are."""
        for item, reason in images.unreadable:
            LOG.warning("%s: %s could not be read: %s", name, item, reason)
            path = self.queue.objects(name) / item
            if not path.is_file():  # one of several frames
                path = path.with_name(path.name.partition("#")[0] or path.name)
            if path.is_file():
                folder.mkdir(exist_ok=True)
                shutil.copyfile(path, folder / path.name)

    def _send(self, name: str) -> None:
        """Send the results of a study; what the other node will never take is kept, with the reasons."""
        folder = self.queue.outgoing(name)
        (folder / REFUSED).unlink(missing_ok=True)  # of an earlier try, if somebody moved it back
        if self.to is not None and (files := sorted((folder / "maps").rglob("*.dcm"))):
            refused = send(files, self.to, self.ae_title)
            self._retries.done(CONNECTION)
            reasons = [(path.relative_to(folder).as_posix(), reason) for path, reason in refused.items()]
            for line in in_short(reasons):
                LOG.error("%s: kept in results: %s", name, line)
            if reasons:
                lines = "".join(f"{path}: {reason}\n" for path, reason in reasons)
                (folder / REFUSED).write_text(lines, encoding="utf-8", errors="backslashreplace")
        self.queue.sent(name)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
