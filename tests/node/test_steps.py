"""What a node does with a study, and what it does when that fails: no study is lost, none blocks another."""

import shutil
import time
from pathlib import Path

import pytest
from dicom_files import save_studies

import entropix
from entropix import writers
from entropix.node import Destination, Node

pytest.importorskip("pynetdicom")
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of pynetdicom
HOST = "127.0.0.1"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_cannot_be_read_is_kept(model: Path, tmp_path: Path) -> None:
    node = Node(entropix.load(model), tmp_path / "node", to=Destination("ARCHIVE", HOST, 1), quiet=0)
    study = save_studies(node.queue.objects("1.2.1"), 1, images_each=2)
    broken = (study / "0001.dcm").read_bytes()[:-100]
    (study / "0001.dcm").write_bytes(broken)
    node.work()
    results = node.queue.outgoing("1.2.1")
    assert (results / "unreadable" / "0001.dcm").read_bytes() == broken
    assert len(list((results / "maps").rglob("*.dcm"))) == 2
    assert node.queue.ready() == []


def test_errors_of_one_study(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(entropix.load(model), tmp_path / "node", quiet=0)
    save_studies(node.queue.objects("1.2.1"), 1)
    errors: list[Exception] = [OSError("disk full"), AssertionError()]

    def fail(*_: object, **__: object) -> None:
        raise errors.pop(0)

    monkeypatch.setattr("entropix.writers.score", fail)
    monkeypatch.setattr("entropix.node._retries.FIRST_SECONDS", 0.3)
    for _ in range(2):  # the second time it is too early
        node.work()
        assert node.queue.ready() == ["1.2.1"]
        assert len(errors) == 1
    time.sleep(0.3)
    node.work()
    assert (tmp_path / "node" / "failed" / "1.2.1" / "reason.txt").read_text() == "AssertionError\n"


def test_an_error_that_stays_blocks_nobody(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that cannot be written is tried again and again, while others go on, and finishes when it can."""
    node = Node(entropix.load(model), tmp_path / "node", quiet=0, dicom=["overlay"])
    for study in ("1.2.1", "1.3.1"):
        save_studies(node.queue.objects(study), 1)
    first, second = node.queue.ready()
    write = writers.write_scores

    def full(path: Path, *others: object) -> None:
        if first in str(path):
            raise OSError("disk full")
        write(path, *others)  # type: ignore[arg-type]

    monkeypatch.setattr("entropix.writers.write_scores", full)
    shutil.rmtree(tmp_path / "node" / "results")  # cleared away by somebody
    for _ in range(3):
        node.work()
    assert names(tmp_path / "node" / "results") == [second]
    assert node.queue.ready() == [first]
    monkeypatch.setattr("entropix.writers.write_scores", write)
    again = Node(entropix.load(model), tmp_path / "node", quiet=0, dicom=["overlay"])  # a start waits for nothing
    again.queue.recover()
    again.work()
    assert names(tmp_path / "node" / "results") == ["1.2.1", "1.3.1"]


def test_what_was_put_aside_is_done_again_when_it_is_moved_back(model: Path, tmp_path: Path) -> None:
    node = Node(entropix.load(model), tmp_path / "node", quiet=0, dicom=["overlay"])
    mended, (broken,) = (list(save_studies(tmp_path / name, 1).iterdir()) for name in ("mended", "broken"))
    broken.write_bytes(b"x" * 200)
    broken.parent.rename(node.queue.objects("1.2.1"))
    node.work()
    put_aside = tmp_path / "node" / "failed" / "1.2.1"
    assert "no readable image" in (put_aside / "reason.txt").read_text()
    mended[0].replace(put_aside / broken.name)
    put_aside.rename(node.queue.objects("1.2.1"))
    node.work()
    assert names(tmp_path / "node" / "results" / "1.2.1") == ["maps", "scores.csv"]


def test_an_archive_that_hangs_up_on_one_study(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(entropix.load(model), tmp_path / "node", to=Destination("A", HOST, 1), quiet=0)
    for study in ("1.2.1", "1.3.1"):
        (node.queue.outgoing(study) / "maps").mkdir(parents=True)
        (node.queue.outgoing(study) / "maps" / "a.dcm").touch()

    def hang_up(files: list[Path], *_: object) -> dict[Path, str]:
        if "1.2.1" in str(files[0]):
            raise ConnectionError("left")
        return {}

    monkeypatch.setattr("entropix.node._node.send", hang_up)
    node.work()
    assert names(tmp_path / "node" / "results") == ["1.3.1"]
    assert node.queue.to_send() == ["1.2.1"]


def test_a_queue_that_is_away_does_not_end_the_node(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entropix.node._node.FIRST_SECONDS", 0.0)
    node = Node(entropix.load(model), tmp_path / "node", port=0, quiet=0)
    calls: list[int] = []

    def away() -> list[str]:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("stale file handle")
        node.stop()
        return []

    monkeypatch.setattr(node.queue, "arriving", away)
    node.run()
    assert len(calls) == 2


def test_all_kinds_of_objects_are_made(model: Path, tmp_path: Path) -> None:
    kinds = ("overlay", "map", "seg", "report")
    node = Node(entropix.load(model), tmp_path / "node", quiet=0, dicom=kinds)
    save_studies(node.queue.objects("1.2.1"), 1)
    node.work()
    assert names(tmp_path / "node" / "results" / "1.2.1" / "maps") == sorted(kinds)
    assert Node(entropix.load(model), tmp_path / "other").dicom == ("overlay", "map")
    with pytest.raises(ValueError, match="expected one or more of overlay, map, seg, report"):
        Node(entropix.load(model), tmp_path / "other", dicom=["rtstruct"])


def test_other_machines_need_a_list(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="say which AE titles may send"):
        Node(entropix.load(model), tmp_path / "node", host="0.0.0.0")
