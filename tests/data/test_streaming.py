"""Images that are more than the memory holds: spooled, mapped, viewed; copies among many."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import entropix
from entropix.data import DataError, ImageView, read
from entropix.data import _spool as spool
from entropix.datasets import phantoms
from entropix.training._split import image_duplicates, split
from entropix.training._training_data import TrainingData

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def heads() -> np.ndarray:
    return phantoms(300, 4, image_size=32, seed=3).images


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)


def test_a_spool_gives_back_what_it_took_in_order(small_memory: None) -> None:
    blocks = [torch.rand(b, c, 4, 4) for b, c in ((3, 1), (9, 3), (1, 1), (8, 1), (2, 3))]
    kept = spool.Spool()
    for block in blocks:
        kept.add(block.clone())
        assert (kept._file is None) == (kept._bytes > 0)  # all in memory, or all on disk
    assert kept._file is not None
    for block, found in zip(blocks, kept, strict=True):
        assert torch.equal(block, found)


def test_large_tensors_are_mapped_and_hold_what_is_written(small_memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    mapped: list[tuple[int, ...]] = []
    memmap = np.memmap
    monkeypatch.setattr(np, "memmap", lambda *args, shape: mapped.append(shape) or memmap(*args, shape=shape))
    assert spool.allocate((1, 1, 4, 4)).shape == (1, 1, 4, 4)
    assert not mapped
    x = spool.allocate((7, 1, 8, 8))
    x.copy_(torch.arange(x.numel()).reshape(x.shape))
    assert mapped == [(7, 1, 8, 8)]
    assert torch.equal(x.flatten(), torch.arange(448.0))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system reserves no room for a file")
def test_mapped_tensors_have_their_room_on_the_disk(
    small_memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a hole, to be filled while images are written: on a full disk that kills the process (SIGBUS)."""
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda: (tmp_path / "mapped").open("w+b"))
    spool.allocate((50, 1, 32, 32))
    assert (tmp_path / "mapped").stat().st_blocks * 512 >= 4 * 50 * 32 * 32


def test_a_set_read_through_a_file_is_the_same(heads: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = [*heads[:5, 0], *np.repeat(heads[5:8], 3, 1)]
    known = [read(source, image_size=16).pixels.clone() for source in (heads, mixed)]
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)
    for source, images in zip((heads, mixed), known, strict=True):
        assert torch.equal(read(source, image_size=16).pixels, images)


def test_part_of_a_mapped_set_is_mapped(small_memory: None, heads: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    data = read(heads, image_size=32)
    mapped: list[tuple[int, ...]] = []
    memmap = np.memmap
    monkeypatch.setattr(np, "memmap", lambda *args, shape: mapped.append(shape) or memmap(*args, shape=shape))
    chosen = np.arange(300)[::-2]
    assert torch.equal(data.subset(chosen).pixels, data.pixels[torch.from_numpy(chosen.copy())])
    assert mapped == [(150, 1, 32, 32)]


def test_a_view_is_the_scaled_images(heads: np.ndarray) -> None:
    data = read(heads * 4000 - 1000, image_size=32)
    whole = data.scaled(data.value_range()) * 2 - 1
    view = ImageView.from_set(data, data.value_range(), CPU).subset([5, 3, 200])
    assert view.shape == (3, 1, 32, 32)
    assert torch.equal(view[:], whole[[5, 3, 200]])
    assert torch.equal(view[torch.tensor([2, 0])], whole[[200, 5]])
    assert torch.equal(view[1:], whole[[3, 200]])
    with pytest.raises(DataError, match="raw values"):
        ImageView.from_set(data, None, CPU)


def test_a_fit_from_a_file_on_disk_is_the_same(heads: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def scores() -> np.ndarray:
        detector = entropix.fit(heads[:100], image_size=16, epochs=1, progress=False)
        return detector.anomaly_score(heads[:20])

    known = scores()
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)
    assert np.array_equal(scores(), known)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropix.training._split.MOST_IN_PIXELS", 100)


def test_copies_among_many_are_found(many: None, heads: np.ndarray) -> None:
    copies = heads.copy()
    copies[100:110] = copies[:10]  # exact
    copies[110:120] = (copies[10:20] * 255).round() / 255  # stored as bytes
    view = ImageView.from_set(read(copies, image_size=32), None, CPU)
    group = image_duplicates(view).group
    assert torch.equal(group[100:120], group[:20])
    assert len(image_duplicates(view).keep) == 280
    training, _, distinct = split(view, [str(i) for i in range(300)], 0)
    for original, copy in zip(range(20), range(100, 120), strict=True):
        assert (original in training) == (copy in training)
    assert len(distinct) == 280


def test_vectors_are_compared_as_they_are(many: None) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 3))
    rows[100:110] = rows[:10] + 1e-9 * rng.normal(size=(10, 3))
    group = image_duplicates(torch.from_numpy(rows)).group
    assert torch.equal(group[100:110], group[:10])
    whole = torch.from_numpy(rng.integers(0, 1000, (300, 3)).astype(float))
    assert len(image_duplicates(whole).keep) == len(torch.unique(whole, dim=0))


def test_no_copies_among_many_distinct_images(many: None, heads: np.ndarray) -> None:
    assert len(image_duplicates(ImageView.from_set(read(heads, image_size=32), None, CPU)).keep) == 300


def test_no_more_are_held_out_than_calibration_needs(heads: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropix.training._split.MOST_HELD_OUT", 30)
    prepared = TrainingData.from_images(read(heads, image_size=32), 0, CPU)
    assert (len(prepared.held_out), len(prepared.train)) == (30, 270)
