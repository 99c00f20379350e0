"""Studies on disk: in one state, whatever kills the process, and never lost."""

import os
import time
from pathlib import Path

import pytest

from entropix.node import Destination, Queue
from entropix.node._node import _is_loopback


def put(queue: Queue, study: str, sop: str, content: bytes = b"x") -> None:
    received = queue.receiving / "tmp1"
    received.write_bytes(content)
    queue.add(received, study, sop)


def states(folder: Path) -> dict[str, list[str]]:
    found = {state.name: sorted(path.name for path in state.iterdir()) for state in folder.iterdir()}
    return {state: names for state, names in found.items() if names}


def test_a_study_goes_from_state_to_state(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    put(queue, "1.2", "1.2.1")
    put(queue, "1.2", "1.2.1", b"again")
    put(queue, "1.2", "1.2.2")
    queue.complete("1.2", quiet=60)
    assert states(tmp_path) == {"arriving": ["1.2"]}
    queue.complete("1.2", quiet=0)
    assert queue.ready() == ["1.2.1"]
    assert (queue.objects("1.2.1") / "1.2.1.dcm").read_bytes() == b"again"
    queue.outgoing("1.2.1").mkdir()
    queue.scored("1.2.1")
    assert states(tmp_path) == {"sending": ["1.2.1"]}
    queue.sent("1.2.1")
    put(queue, "1.2", "1.2.3")  # late
    queue.complete("1.2", quiet=0)
    assert queue.ready() == ["1.2.2"]
    queue.fail("1.2.2", "not an image")
    assert (tmp_path / "failed" / "1.2.2" / "reason.txt").read_text() == "not an image\n"
    assert states(tmp_path) == {"results": ["1.2.1"], "failed": ["1.2.2"]}


def test_every_object_starts_the_wait_again(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    put(queue, "1.2", "1.2.1")
    os.utime(tmp_path / "arriving" / "1.2", (time.time() - 100,) * 2)
    put(queue, "1.2", "1.2.1")
    queue.complete("1.2", quiet=60)
    assert queue.ready() == []


def test_a_killed_process_leaves_a_state(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    for study in ("1.1", "1.2", "1.3"):
        put(queue, study, "1.9.1")
    (queue.receiving / "half").write_bytes(b"x")
    (tmp_path / "arriving" / "1.1").rename(tmp_path / "ready" / "1.1.1")
    (tmp_path / "arriving" / "1.2").rename(tmp_path / "ready" / "1.2.1")
    queue.outgoing("1.1.1").mkdir()  # killed before it forgot the objects
    (tmp_path / "sending" / ".1.2.1-abcdefgh" / "new").mkdir(parents=True)  # killed while it wrote
    again = Queue(tmp_path)
    again.recover()
    assert states(tmp_path) == {"sending": ["1.1.1"], "ready": ["1.1.1", "1.2.1"], "arriving": ["1.3"]}
    assert again.to_send() == []  # before the objects are forgotten, which the next step of 1.1.1 does


def test_one_study_in_disorder_keeps_none_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue = Queue(tmp_path)
    (queue.receiving / "folder").mkdir()  # of somebody else
    (queue.receiving / "half").write_bytes(b"x")
    for state in ("arriving", "ready", "sending"):
        (tmp_path / state / "notes.txt").write_text("by somebody else")
    for name in ("1.1.1", "1.2.1"):
        queue.objects(name).mkdir()
    cleared = []

    def remove(outgoing: Path) -> None:
        if "1.1.1" in outgoing.name:
            raise PermissionError("not yours")
        cleared.append(outgoing.name)

    monkeypatch.setattr("entropix.node._queue.remove_leftovers", remove)
    queue.recover()
    assert cleared == ["1.2.1"]
    assert "1.1.1 is left as it is: not yours" in caplog.text
    assert states(tmp_path)["receiving"] == ["folder"]
    assert (queue.arriving(), queue.ready(), queue.to_send()) == ([], ["1.1.1", "1.2.1"], [])


def test_a_folder_has_one_node(tmp_path: Path) -> None:
    first, second = Queue(tmp_path), Queue(tmp_path)
    (first.receiving / "half").write_bytes(b"x")
    with first.alone():
        with pytest.raises(OSError, match="in use by another node"), second.alone():
            pass
        assert (Queue(tmp_path).receiving / "half").exists()  # nobody else takes it away
    with second.alone():
        second.recover()
    assert not list(second.receiving.iterdir())


@pytest.mark.parametrize(
    ("study", "sop"),
    [
        *[("", "1.2"), ("../1", "1.2"), ("1.2", "a/b"), ("1.2", "1" * 65)],
        *[("..", "1.2"), (".", "1.2"), (".1", "1.2"), ("1.2", ".1")],
    ],
)
def test_names_are_uids(tmp_path: Path, study: str, sop: str) -> None:
    queue = Queue(tmp_path)
    with pytest.raises(ValueError, match="expected UIDs"):
        put(queue, study, sop)
    assert list(states(tmp_path)) == ["receiving"]


def test_destinations() -> None:
    assert Destination.parse("PACS@pacs.local:104") == Destination("PACS", "pacs.local", 104)
    for text in ("pacs:104", "PACS@:104", "PACS@pacs", "PACS@pacs:0", "PACS@pacs:x", "@pacs:104"):
        with pytest.raises(ValueError, match="expected TITLE@HOST:PORT"):
            Destination.parse(text)


def test_loopback() -> None:
    assert all(map(_is_loopback, ("127.0.0.1", "::1", "localhost")))
    assert not any(map(_is_loopback, ("0.0.0.0", "::", "192.168.0.2", "pacs.local")))
