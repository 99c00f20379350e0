"""Surroundings that are not a user's desktop: no home, names that are no text, a cache that is damaged, a new salt."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from dicom_files import save_dicom
from PIL import Image

import entropix
from entropix import writers
from entropix.data import _cache as cache
from entropix.data import _privacy as privacy
from entropix.data import formats, read
from entropix.report import write_report

IMAGE = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture(autouse=True)
def _new_salt() -> Iterator[None]:
    privacy._salt.cache_clear()
    yield
    privacy._salt.cache_clear()


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with neither HOME nor an entry for the user."""

    def nowhere(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(platformdirs, "user_cache_path", nowhere)
    monkeypatch.setattr(platformdirs, "user_data_path", nowhere)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("keep", [False, True, "folder"])
def test_without_a_home(keep: bool | str, tmp_path: Path) -> None:
    save_dicom(tmp_path / "a.dcm", IMAGE, PatientID="1")
    images = read(tmp_path / "a.dcm", image_size=16, cache=tmp_path / "c" if keep == "folder" else keep)
    assert images.groups == [privacy.pseudonym("1")]
    assert not (tmp_path / "c").exists()  # these pseudonyms mean nothing to the next process


def test_names_that_are_no_text(images: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for i in range(2):
        Image.fromarray((images[i, 0] * 255).astype(np.uint8)).save(os.fsencode(folder) + b"/caf\xe9%d.png" % i)
    detector = entropix.fit(images, latent_dim=1, image_size=16, epochs=1, progress=False)
    read_back = detector.read(folder, cache=tmp_path / "c")
    assert detector.read(folder, cache=tmp_path / "c").names == read_back.names
    scored = writers.score(detector, read_back)
    writers.write_scores(tmp_path / "s.csv", read_back, scored)
    assert r"caf\udce90.png" in (tmp_path / "s.csv").read_text(encoding="utf-8")
    writers.write_heatmaps(tmp_path / "maps", detector, read_back)
    assert len(list((tmp_path / "maps").iterdir())) == 2
    for data in ({"scores": tmp_path / "s.csv"}, {"data": folder}):
        page = write_report(detector, tmp_path / "r.html", overwrite=True, **data)  # type: ignore[arg-type]
        assert r"caf\udce90.png" in page.read_text(encoding="utf-8")


def test_a_new_salt_cuts_the_ties_to_what_is_kept(tmp_path: Path) -> None:
    save_dicom(tmp_path / "a.dcm", IMAGE, PatientID="1")
    kept = tmp_path / "c"
    first = read(tmp_path / "a.dcm", image_size=16, cache=kept).groups
    assert read(tmp_path / "a.dcm", image_size=16, cache=kept).groups == first
    privacy.salt_file().unlink()
    privacy._salt.cache_clear()
    second = read(tmp_path / "a.dcm", image_size=16, cache=kept).groups
    assert second != first
    held = [path.read_text() for path in kept.glob("*/facts.json")]
    assert [second[0] in text for text in held] == [True]
    assert not any(first[0] in text for text in held)


def test_a_new_format_is_not_answered_from_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"another")

    def keys() -> set[str]:
        read(tmp_path, image_size=16, cache=tmp_path / ".c", skip_unreadable=True)
        return {path.name for path in (tmp_path / ".c").iterdir()}

    before = keys()
    monkeypatch.setattr(cache, "format_names", lambda: [*formats.format_names(), "Another"])
    assert len(keys() - before) == 1


def test_a_damaged_key_is_as_none(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(IMAGE).save(tmp_path / name)
    read(tmp_path / "a.png", image_size=16, cache=tmp_path / ".c")
    for known in (tmp_path / ".c" / "known").iterdir():
        known.write_bytes(b"\xff\xfe")
    assert len(read(tmp_path / "a.png", image_size=16, cache=tmp_path / ".c")) == 1
    assert len(read(tmp_path / "b.png", image_size=16, cache=tmp_path / ".c")) == 1
