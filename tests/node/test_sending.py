"""Results to an archive that takes some, none or all, now or later: none is lost, no study waits for another."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import save_dicom
from pydicom.uid import ImplicitVRLittleEndian, ParametricMapStorage, SecondaryCaptureImageStorage

import entropix
from entropix.node import Destination, Node
from entropix.node._retries import LONGEST_SECONDS, Retries
from entropix.node._sender import Unreachable, send

pynetdicom = pytest.importorskip("pynetdicom")
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of pynetdicom
HOST = "127.0.0.1"
BOTH = (SecondaryCaptureImageStorage, ParametricMapStorage)
FULL, NOT_UNDERSTOOD = 0xA700, 0xC000


@contextlib.contextmanager
def archive(
    kinds: tuple[str, ...] = BOTH,
    status: Callable[[str], int] = lambda name: 0,
    syntaxes: list[str] | None = None,
    senders: list[str] | None = None,
) -> Iterator[tuple[Destination, list[str]]]:
    """An archive that takes these kinds and answers with a status for each object; and the UIDs that it was sent."""
    entity = pynetdicom.AE("ARCHIVE")
    entity.require_calling_aet = senders or []
    for kind in (*kinds, "1.2.840.10008.1.1"):
        entity.add_supported_context(kind, syntaxes)
    got: list[str] = []

    def store(event: Any) -> int:
        got.append(str(event.request.AffectedSOPInstanceUID))
        return status(got[-1])

    server = entity.start_server((HOST, 0), block=False, evt_handlers=[(pynetdicom.evt.EVT_C_STORE, store)])
    try:
        yield Destination("ARCHIVE", HOST, server.server_address[1]), got
    finally:
        entity.shutdown()


@pytest.fixture
def node(model: Path, tmp_path: Path) -> Node:
    """A node with the results of two studies to send: of each an overlay, 1.2.K.1, and a map, 1.2.K.2."""
    made = Node(entropix.load(model), tmp_path / "node", quiet=0)
    for k in (1, 2):
        for which, kind in enumerate(BOTH, start=1):
            folder = made.queue.outgoing(f"1.2.{k}.1") / "maps" / str(which)
            folder.mkdir(parents=True)
            image = np.eye(8, dtype=np.uint8)
            save_dicom(folder / "a.dcm", image, SOPClassUID=kind, SOPInstanceUID=f"1.2.{k}.{which}")
    return made


def left(node: Node, state: str) -> list[str]:
    folder = node.folder / state
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refused(node: Node, k: int) -> str:
    return (node.folder / "results" / f"1.2.{k}.1" / "refused.txt").read_text()


def test_a_kind_that_is_refused_is_set_aside(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    """The rest is sent, and the study is finished; moved back by hand, it is sent again."""
    with archive((SecondaryCaptureImageStorage,)) as (node.to, got), caplog.at_level(logging.ERROR):
        node.work()
    assert sorted(got) == ["1.2.1.1", "1.2.2.1"]
    assert left(node, "sending") == []
    assert left(node, "results") == [f"1.2.{k}.1/{name}" for k in (1, 2) for name in ("maps/2/a.dcm", "refused.txt")]
    reason = f"maps/2/a.dcm: {node.to} takes no Parametric Map Storage"
    assert refused(node, 1) == f"{reason}\n"
    assert f"1.2.1.1: kept in results: {reason}" in caplog.text
    (node.folder / "results" / "1.2.1.1").rename(node.folder / "sending" / "1.2.1.1")
    with archive() as (node.to, got):
        node.work()
    assert got == ["1.2.1.2"]
    assert not any(name.startswith("1.2.1.1") for name in left(node, "results") + left(node, "sending"))


def test_an_archive_that_takes_nothing_holds_nothing_up(node: Node) -> None:
    with archive(()) as (node.to, got):
        node.work()
    assert got == []
    assert left(node, "sending") == []
    assert refused(node, 2).count("takes no ") == 2


def test_a_status_is_final_or_not(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropix.node._retries.FIRST_SECONDS", 0.0)
    answers = {"1.2.1.1": [FULL, 0], "1.2.1.2": [0], "1.2.2.1": [0], "1.2.2.2": [NOT_UNDERSTOOD]}
    with archive(status=lambda name: answers[name].pop(0)) as (node.to, got):
        node.work()
        assert left(node, "sending") == ["1.2.1.1/maps/1/a.dcm"]
        assert refused(node, 2) == f"maps/2/a.dcm: {node.to} answers with status 0xc000\n"
        node.work()
    assert got == ["1.2.1.1", "1.2.1.2", "1.2.2.1", "1.2.2.2", "1.2.1.1"]
    assert left(node, "sending") == []


def test_a_sender_that_is_not_known_waits(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive's list may be mended; all studies wait for it together, and nothing is refused for good."""
    with archive(senders=["OTHER"]) as (to, got):
        with pytest.raises(Unreachable, match=r"takes no association: Calling AE title not recognised"):
            send(sorted(node.queue.outgoing("1.2.1.1").rglob("*.dcm")), to, "ENTROPIX")
        tries: list[Any] = []
        monkeypatch.setattr("entropix.node._node.send", lambda *given: tries.append(given) or send(*given))
        node.to = to
        node.work()
        node.work()  # too early
    assert len(tries) == 1
    assert got == []
    assert len(left(node, "sending")) == 4


def test_the_syntax_that_all_archives_take(node: Node) -> None:
    with archive(syntaxes=[ImplicitVRLittleEndian]) as (node.to, got):
        node.work()
    assert len(got) == 4
    assert left(node, "results") == []


def test_a_damaged_result_is_set_aside(node: Node) -> None:
    (node.queue.outgoing("1.2.1.1") / "maps" / "1" / "a.dcm").write_bytes(b"x" * 200)
    with archive() as (node.to, got):
        node.work()
    assert len(got) == 3
    assert "maps/1/a.dcm: no DICOM file" in refused(node, 1)


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("entropix.node._retries.time.monotonic", lambda: clock[0])
    retries, pauses = Retries(), []
    for _ in range(2000):
        retries.later("1.2")
        start = clock[0]
        while not retries.due("1.2"):
            clock[0] += 15
        pauses.append(clock[0] - start)
    assert pauses[:6] == [30, 60, 120, 240, 480, LONGEST_SECONDS]
    assert set(pauses[6:]) == {LONGEST_SECONDS}
    retries.done("1.2")
    retries.later("1.2")
    clock[0] += 30
    assert retries.due("1.2")
