"""The cache of decoded images: same images, found again by content, never half-written, of bounded size."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from entropix.data import DataError, ImageSet, Select, read
from entropix.data import _cache as cache
from entropix.data import _reader as reader


@pytest.fixture
def scans(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A folder of eight PNG files, one of which cannot be read."""
    folder = tmp_path / "scans"
    (folder / "sub").mkdir(parents=True)
    for i in range(7):
        Image.fromarray(rng.integers(0, 256, (20, 30), dtype=np.uint8)).save(
            folder / ("sub" if i % 2 else "") / f"{i}.png"
        )
    (folder / "bad.png").write_text("no image")
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are decoded from here on."""
    names: list[str] = []
    load = reader.load
    monkeypatch.setattr(reader, "load", lambda item, *rest: names.append(item.name) or load(item, *rest))
    return names


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != "known")


def read_again(scans: Path, folder: Path, **options: object) -> ImageSet:
    return read(scans, cache=folder, skip_unreadable=True, image_size=16, **options)


def test_second_reading_decodes_nothing_and_is_the_same(scans: Path, tmp_path: Path, decoded: list[str]) -> None:
    first = read_again(scans, tmp_path / "c")
    assert len(decoded) == 8
    second = read_again(scans, tmp_path / "c")
    assert len(decoded) == 8
    assert torch.equal(first.pixels, second.pixels)
    for name in ("names", "groups", "natural_scale", "inferred_scale", "source", "origins"):
        assert getattr(first, name) == getattr(second, name)
    assert [tuple(entry) for entry in second.unreadable] == first.unreadable
    assert np.array_equal(first.sizes, second.sizes)
    assert np.array_equal(first.labels, second.labels)
    assert second.subset([1, 2]).names == first.names[1:3]
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    with pytest.raises(DataError, match=r"1 unreadable: bad.png: not a PNG"):
        read(scans, cache=tmp_path / "c", image_size=16)
    assert len(decoded) == 8
    second.pixels.zero_()  # what a reader does to its images stays with it
    assert torch.equal(read_again(scans, tmp_path / "c").pixels, first.pixels)


def test_content_and_settings_make_the_key(scans: Path, tmp_path: Path, decoded: list[str]) -> None:
    folder = tmp_path / "c"
    read_again(scans, folder)
    for options in ({"channels": 3}, {"select": Select(axis="coronal")}, {"keep_ids": True}):
        read_again(scans, folder, **options)
    assert len(entries(folder)) == 4
    assert len(decoded) == 4 * 8
    # the same content at another time is found again, other content of the same size is not
    os.utime(scans / "0.png", ns=(1, 1))
    read_again(scans, folder)
    assert len(decoded) == 4 * 8
    content = bytearray((scans / "2.png").read_bytes())
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(scans / "2.png")
    (scans / "2.png").write_bytes((scans / "2.png").read_bytes().ljust(len(content), b"\0"))
    changed = read_again(scans, folder)
    assert len(decoded) == 5 * 8
    assert changed.pixels[changed.names.index("2.png")].max() == 0
    (scans / "0.png").rename(scans / "renamed.png")
    assert "renamed.png" in read_again(scans, folder).names
    assert len(decoded) == 6 * 8


@pytest.mark.parametrize("name", ["images.npy", "facts.json"])
def test_damaged_entry_is_decoded_again(scans: Path, tmp_path: Path, decoded: list[str], name: str) -> None:
    first = read_again(scans, tmp_path / "c")
    (entry,) = entries(tmp_path / "c")
    (entry / name).write_bytes((entry / name).read_bytes()[:100])
    assert torch.equal(read_again(scans, tmp_path / "c").pixels, first.pixels)
    assert len(decoded) == 16
    read_again(scans, tmp_path / "c")
    assert len(decoded) == 16


def test_interrupted_writing_leaves_no_entry(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: Path, _: np.ndarray) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read_again(scans, tmp_path / "c")
    assert entries(tmp_path / "c") == []


def test_oldest_go_when_it_is_full(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "c"
    read_again(scans, folder)
    (first,) = entries(folder)
    size = sum(path.stat().st_size for path in first.iterdir())
    monkeypatch.setattr(cache, "MOST_BYTES", int(2.5 * size))
    os.utime(first, (1, 1))
    read_again(scans, folder, channels=1)
    (second,) = set(entries(folder)) - {first}
    os.utime(second, (2, 2))
    read_again(scans, folder)  # used: now the second is the oldest
    abandoned = folder / ".left-by-a-killed-process"
    abandoned.mkdir()
    os.utime(abandoned, (3, 3))
    read_again(scans, folder, keep_ids=True)
    kept = entries(folder)
    assert first in kept
    assert second not in kept
    assert abandoned not in kept
    assert len(kept) == 2
    assert len(list((folder / "known").iterdir())) == 2
    monkeypatch.setattr(cache, "MOST_BYTES", 10)
    read_again(scans, folder, channels=3)
    assert entries(folder) == kept


def test_quick_readings_are_kept_only_where_asked(
    scans: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_BYTES", 2**20)
    assert cache.default_folder().is_relative_to(os.environ["XDG_CACHE_HOME"])
    for _ in range(2):
        read(scans, skip_unreadable=True, image_size=16)
    assert len(decoded) == 16
    monkeypatch.setattr(reader, "WORTH_SECONDS", 0)
    for _ in range(2):
        read(scans, skip_unreadable=True, image_size=16)
    assert len(decoded) == 24
    read(scans, skip_unreadable=True, image_size=16, cache=False)
    assert len(decoded) == 32


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_error(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir(mode=0o500)
    assert len(read_again(scans, tmp_path / "c")) == 7


def test_a_file_in_place_of_the_folder_is_no_error(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a file")
    assert len(read_again(scans, tmp_path / "c")) == 7


@pytest.mark.slow
def test_two_thousand_files_start_in_under_two_seconds(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "scans").mkdir()
    for i in range(2000):
        image = rng.integers(0, 256, (224, 224), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / "scans" / f"{i}.png", compress_level=0)
    first = read(tmp_path / "scans", cache=tmp_path / "c")
    started = time.perf_counter()
    second = read(tmp_path / "scans", cache=tmp_path / "c")
    assert time.perf_counter() - started < 2
    assert torch.equal(first.pixels, second.pixels)
