"""Formats: the list is all there is to know of them, and a new one is found, read, named and mapped by its line."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import entropix.data.formats as formats
from entropix.data import DataError, Select, read
from entropix.data.formats import (
    FORMATS,
    Decoded,
    FileMaps,
    Format,
    MapFolder,
    OtherSeries,
    format_names,
    format_of,
    in_words,
)
from entropix.detector import EntropixDetector
from entropix.scoring import DEFAULT_SCORE, PEAK, SCORES, Calibration
from entropix.writers import write_heatmaps

ROOT = Path(__file__).parents[2]


class Rows(Format):
    """Rows of grey values in a text that begins with "rows"; heat maps are written as such."""

    names = ("Rows",)
    suffixes = (".rows",)
    never_images = frozenset({"index.rows"})

    def sniff(self, path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(4) == b"rows"

    def is_mask(self, path: Path) -> bool:
        return path.name.endswith(".where.rows")

    def decode(self, path: Path, select: Select, keep_ids: bool) -> Decoded:
        series, *lines = path.read_text().splitlines()
        if not select.wants_series(series):
            raise OtherSeries
        image = np.array([line.split() for line in lines], dtype=np.float32)
        return Decoded([image[None] / 9], "source", kind="Rows")

    def write_maps(self, folder: MapFolder, files: Sequence[FileMaps]) -> None:
        for file in files:
            np.savetxt(folder.place(file.name, ".rows"), file.by_frame()[0], header=file.name)


class Pairs(Rows):
    """The same with two images, and nothing said of masks, content or heat maps."""

    names = ("Pairs", "Twins")
    suffixes = (".pairs",)
    sniff, is_mask, write_maps = Format.sniff, Format.is_mask, Format.write_maps

    def decode(self, path: Path, select: Select, keep_ids: bool) -> Decoded:
        (frame,) = super().decode(path, select, keep_ids).frames
        return Decoded([frame, 1 - frame], "source", [3, 5], kind="Pairs")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of files in a format that has a line in the list, among others."""
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, Rows()))
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a.rows", "a.where.rows", "index.rows", "without_ending", "called.dcm"):
        (folder / name).write_text("rows\n0 3 6\n3 6 9\n")
    (folder / "notes.txt").write_text("no image")
    Image.fromarray(np.full((2, 3), 51, np.uint8)).save(folder / "b.png")
    return folder


def test_a_format_with_a_line_is_found_and_read(rows: Path) -> None:
    images = read(rows, image_size=2, cache=False)
    assert images.names == ["a.rows", "b.png", "called.dcm", "without_ending"]
    assert [origin.kind for origin in images.origins] == ["Rows", "PNG", "Rows", "Rows"]
    assert images.sizes.tolist() == [[2, 3]] * 4
    assert read(rows / "a.where.rows", image_size=2, cache=False).names == ["a.where.rows"]
    with pytest.raises(DataError, match="nothing matches --select series=columns; there is: another series"):
        read(rows / "a.rows", select=Select(series="columns"), cache=False)


def test_a_format_with_a_line_is_named(rows: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected PNG, JPEG, TIFF, BMP, DICOM, NIfTI, NRRD or Rows files"):
        read(tmp_path / "empty")
    (rows / "damaged.rows").write_text("rows\n1 2\n3\n")
    with pytest.raises(DataError, match=r"1 unreadable: damaged.rows: ValueError: .*inhomogeneous"):
        read(rows, cache=False)


class Looking(EntropixDetector):
    """A fitted detector whose maps are known."""

    def __init__(self, maps: np.ndarray) -> None:
        super().__init__()
        self.model_, self.maps = None, maps
        self.calibration_ = Calibration(dict.fromkeys((DEFAULT_SCORE, PEAK), torch.ones(19)))

    def explain(self, images: Any, progress: bool = False, *, maps: bool = False) -> dict[str, np.ndarray]:
        return {name: np.zeros(len(self.maps)) for name in SCORES} | {"map": self.maps}


def test_a_format_writes_its_maps(rows: Path, tmp_path: Path) -> None:
    images = read(rows, image_size=2, cache=False)
    hot = np.ones((4, 2, 2), dtype=np.float32)
    detector = Looking(hot)
    write_heatmaps(tmp_path / "maps", detector, images)
    written = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert written == ["a.rows", "b.png", "called.dcm.rows", "without_ending.rows"]
    assert (tmp_path / "maps" / "a.rows").read_text().startswith("# a.rows\n")
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "maps" / "a.rows"), np.ones((2, 3)))


def test_a_format_needs_no_more_than_decode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, Pairs()))
    (tmp_path / "a.pairs").write_text("rows\n0 3 6\n3 6 9\n")
    images = read(tmp_path / "a.pairs", image_size=2, cache=False)
    assert images.names == ["a.pairs#3", "a.pairs#5"]
    nothing = np.zeros((2, 2, 2), dtype=np.float32)
    detector = Looking(nothing)
    write_heatmaps(tmp_path / "maps", detector, images)
    with Image.open(tmp_path / "maps" / "a.pairs_5.png") as picture:  # PNG of what `decode` gives
        np.testing.assert_array_equal(np.asarray(picture)[..., 0], [[255, 170, 85], [170, 85, 0]])
    assert in_words(format_names()).endswith(", NRRD, Pairs or Twins")


def test_content_goes_before_name(tmp_path: Path) -> None:
    preamble = b"\0" * 128 + b"DICM"
    for name, content, expected in (
        ("a.png", preamble, "DICOM"),
        ("a.nii.gz", preamble, "DICOM"),
        ("a", preamble, "DICOM"),
        ("a.IMA", b"anything", "DICOM"),
        ("a.NII", b"anything", "NIfTI"),
        ("a.txt", b"anything", "PNG"),  # Pillow says what is wrong with it
    ):
        (tmp_path / name).write_bytes(content)
        assert expected in format_of(tmp_path / name).names


def test_formats_have_names_and_endings_of_their_own() -> None:
    endings = [ending for one in FORMATS for ending in one.suffixes]
    assert len(set(format_names())) == len(format_names())
    assert len(set(endings)) == len(endings)
    assert all(re.fullmatch(r"(\.[a-z0-9]+)+", ending) for ending in endings)
    assert in_words(["A"]) == "A"
    assert in_words(["A", "B"]) == "A or B"


@pytest.mark.parametrize("page", ["README.md", "docs/data.md"])
def test_documentation_lists_every_format(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [name for name in format_names() if not re.search(rf"\b{name}\b", text)] == []
