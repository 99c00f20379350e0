"""The node between DCMTK's storescu and storescp: every study that went in comes out, once, whatever is killed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dicom_files import save_dicom, save_studies

import entropix
from entropix.node import Destination, Node

pytest.importorskip("pynetdicom")
# pynetdicom puts programs of the same names beside Python
ELSEWHERE = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if Path(p) != Path(sys.executable).parent)
STORESCU, STORESCP = (shutil.which(name, path=ELSEWHERE) or "" for name in ("storescu", "storescp"))
pytestmark = [
    pytest.mark.skipif(not (STORESCU and STORESCP), reason="needs storescu and storescp: Debian's package dcmtk"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
HOST = "127.0.0.1"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def storescu(port: int, *paths: Path, title: str = "MODALITY", called: str = "ENTROPIX") -> int:
    command = [STORESCU, "-aet", title, "-aec", called, "--scan-directories", HOST, str(port), *map(str, paths)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode


@contextlib.contextmanager
def archive(folder: Path) -> Iterator[Destination]:
    """DCMTK's storescp, which writes what it gets to `folder`."""
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen([STORESCP, "-aet", "ARCHIVE", "-od", str(folder), str(port)])
    try:
        wait_until(lambda: listens(port))
        yield Destination("ARCHIVE", HOST, port)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def running(node: Node) -> Iterator[Node]:
    thread = threading.Thread(target=node.run)
    thread.start()
    try:
        wait_until(lambda: node.port != 0 and listens(node.port))
        yield node
    finally:
        node.stop()
        thread.join(60)
        assert not thread.is_alive()


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((HOST, port)) == 0


def wait_until(done: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end, "took too long"
        time.sleep(0.05)


def test_studies_in_results_out(model: Path, tmp_path: Path) -> None:
    sent = save_studies(tmp_path / "scans", 3, images_each=2)
    with archive(tmp_path / "archive") as to:
        node = Node(entropix.load(model), tmp_path / "node", port=0, to=to, allow=["MODALITY"], quiet=0.5)
        with running(node):
            assert storescu(node.port, sent) == 0
            assert storescu(node.port, sent, title="STRANGER") != 0
            assert storescu(node.port, sent, called="OTHER") != 0
            wait_until(lambda: len(names(tmp_path / "node" / "results")) == 3)
    found = list((tmp_path / "archive").iterdir())
    assert len(found) == 12  # an overlay and a map of each image
    assert names(tmp_path / "node" / "results") == ["1.2.3.1.1", "1.2.3.2.1", "1.2.3.3.1"]
    assert not list((tmp_path / "node").rglob("*.dcm"))  # the archive has them
    rows = (tmp_path / "node" / "results" / "1.2.3.2.1" / "scores.csv").read_text().splitlines()
    assert len(rows) == 3
    assert "1.2.3.2.1.2" in rows[2]


def test_results_are_kept_and_others_put_aside(model: Path, tmp_path: Path) -> None:
    sent = save_studies(tmp_path / "scans", 2)
    line = np.zeros((1, 9), np.uint8)  # no image
    save_dicom(
        sent / "0001.dcm", line, StudyInstanceUID="1.2.3.2", SeriesInstanceUID="1.2.3.8", SOPInstanceUID="1.2.3.9"
    )
    with running(Node(entropix.load(model), tmp_path / "node", port=0, quiet=0.2)) as node:
        assert storescu(node.port, sent) == 0
        wait_until(lambda: names(tmp_path / "node" / "results") and names(tmp_path / "node" / "failed"))
    assert len(list((tmp_path / "node" / "results").rglob("*.dcm"))) == 2
    assert "no readable image" in (tmp_path / "node" / "failed" / "1.2.3.2.1" / "reason.txt").read_text()


def test_a_dead_archive_delays_and_loses_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropix.node._retries.FIRST_SECONDS", 0.5)
    nowhere = Destination("ARCHIVE", HOST, free_port())
    with running(Node(entropix.load(model), tmp_path / "node", port=0, to=nowhere, quiet=0.2)) as node:
        storescu(node.port, save_studies(tmp_path / "scans", 2))
        wait_until(lambda: len(names(tmp_path / "node" / "sending")) == 2)
    with archive(tmp_path / "archive") as to:
        node = Node(entropix.load(model), tmp_path / "node", port=0, to=to, quiet=0.2)
        node.queue.recover()
        node.work()
        assert len(names(tmp_path / "archive")) == 4
    assert len(names(tmp_path / "node" / "results")) == 2


@contextlib.contextmanager
def served(model: Path, folder: Path, port: int, to: Destination) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "entropix", "serve", str(model), "--folder", str(folder), "--port", str(port)]
    command += ["--to", f"{to.title}@{to.host}:{to.port}", "--quiet", "1", "--device", "cpu", "--allow", "MODALITY"]
    # not in the source folder, whose package has no native module where another one is installed
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder.parent)
    try:
        wait_until(lambda: listens(port), 180)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        process.wait()


def in_and_out(model: Path, tmp_path: Path, n: int, before_kill: int) -> None:
    """n studies in, and as many results out, with a kill -9 after `before_kill` results, in the midst of others.

    What the sender was told is stored need not be sent again; what it was not told, it sends again, as modalities do.
    """
    sent, port = save_studies(tmp_path / "scans", n), free_port()
    results = tmp_path / "node" / "results"
    first, rest = (sorted(sent.iterdir())[half] for half in (slice(n // 2), slice(n // 2, None)))
    with archive(tmp_path / "archive") as to:
        with served(model, tmp_path / "node", port, to) as process:
            assert storescu(port, *first) == 0
            wait_until(lambda: len(names(results)) >= before_kill, 600)
            told = [path for path in rest[:1] if storescu(port, path) == 0]
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        untold = rest[len(told) :]
        with served(model, tmp_path / "node", port, to) as process:
            assert storescu(port, *untold) == 0
            wait_until(lambda: len(names(results)) >= n, 900)
            process.terminate()
            assert process.wait(60) == 0
    assert names(tmp_path / "node" / "failed") == names(tmp_path / "node" / "sending") == []
    import pydicom

    found = [pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / "archive").iterdir()]
    overlays = [one for one in found if "OVERLAY" in one.ImageType]
    sources = {one.SourceImageSequence[0].ReferencedSOPInstanceUID for one in overlays}
    assert len(found) == 2 * len(overlays) == 2 * len(sources) == 2 * n


def test_a_kill_loses_nothing(model: Path, tmp_path: Path) -> None:
    in_and_out(model, tmp_path, 4, before_kill=1)


@pytest.mark.slow
def test_a_kill_loses_none_of_two_hundred_save_studies(model: Path, tmp_path: Path) -> None:
    in_and_out(model, tmp_path, 200, before_kill=40)
