"""Folders: layouts, splits, labels, order, and what is wrong with them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from entropix.data import DataError, read


def save(root: Path, *names: str) -> Path:
    """Small grey images at `names` below root."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 90, np.uint8)).save(path)
    return root


def names_and_labels(root: Path, split: str) -> dict[str, int]:
    images = read(root, split=split, image_size=4)
    return dict(zip(images.names, images.labels.tolist(), strict=True))


def medianomaly(root: Path, content: object) -> Path:
    save(root, "images/a.png", "images/b.png", "images/sub/c.png", "outside.png")
    (root / "data.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def test_plain_folder_is_recursive_sorted_and_leaves_out_the_hidden(tmp_path: Path) -> None:
    save(tmp_path, "b.png", "A/z.JPG", "A/2/y.tif", ".hidden.png", ".git/x.png", "__MACOSX/x.png")
    (tmp_path / "readme.md").write_text("no image")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    expected = {"A/2/y.tif": -1, "A/z.JPG": -1, "b.png": -1}
    for split in ("train", "test"):
        found = names_and_labels(tmp_path, split)
        assert found == expected
        assert list(found) == sorted(expected)
    assert read(str(tmp_path), image_size=4).groups == list(expected)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    save(tmp_path / "data", "a.png")
    (tmp_path / "data" / "self").symlink_to(tmp_path / "data", target_is_directory=True)
    save(tmp_path / "elsewhere", "b.png")
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert names_and_labels(tmp_path / "data", "train") == {"a.png": -1, "linked/b.png": -1}


def test_medianomaly(tmp_path: Path) -> None:
    content = {"train": {"0": ["b.png"]}, "test": {"0": ["sub/c.png"], "1": ["a.png"]}}
    medianomaly(tmp_path, content)
    assert names_and_labels(tmp_path, "train") == {"images/b.png": 0}
    assert names_and_labels(tmp_path, "test") == {"images/sub/c.png": 0, "images/a.png": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "JSONDecodeError.*expected"),
        ("[1]", "TypeError.*expected"),
        ("[" * 100_000, "data.json.*expected"),
        ({"test": {}}, "no 'train' in it"),
        ({"train": {"0": 3}}, "TypeError"),
        ({"train": {"0": [3]}}, "3 is not a file name"),
        ({"train": {"0": []}}, "no images for split 'train'"),
        ({"train": {"0": ["a.png"]}, "groups": ["a.png"]}, "AttributeError"),
        ({"train": {"0": ["a.png", "gone.png"]}}, "1 of 2 files are not in .*images: gone.png"),
        ({"train": {"0": ["../outside.png"]}}, "leads outside"),
        ({"train": {"0": ["sub/../../outside.png"]}}, "leads outside"),
        ({"train": {"0": ["..\\outside.png"]}}, "leads outside"),
        ({"train": {"0": ["/etc/passwd"]}}, "leads outside"),
        ({"train": {"0": ["C:\\a.png"]}}, "leads outside"),
    ],
)
def test_bad_medianomaly(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(medianomaly(tmp_path, content))


@pytest.mark.parametrize("normal", ["good", "NORMAL", "Healthy"])
def test_split_folders(tmp_path: Path, normal: str) -> None:
    save(tmp_path, f"train/{normal}/a.png", "train/Pneumonia/b.png")
    save(tmp_path, f"test/{normal}/p1/c.png", "test/crack/d.png", "test/e.png", "ground_truth/crack/d.png")
    assert names_and_labels(tmp_path, "train") == {f"train/{normal}/a.png": 0}
    test = names_and_labels(tmp_path, "test")
    assert test == {f"test/{normal}/p1/c.png": 0, "test/crack/d.png": 1, "test/e.png": -1}


def test_train_folder_without_classes(tmp_path: Path) -> None:
    save(tmp_path, "train/patient1/a.png", "train/b.png", "test/normal/c.png", "test/tumor/d.png")
    save(tmp_path, "test/annotation/d.png")
    assert names_and_labels(tmp_path, "train") == {"train/b.png": 0, "train/patient1/a.png": 0}
    assert names_and_labels(tmp_path, "test") == {"test/normal/c.png": 0, "test/tumor/d.png": 1}


def test_train_folder_whose_normal_class_is_unknown(tmp_path: Path) -> None:
    save(
        tmp_path,
        "Training/glioma/a.png",
        "Training/notumor/b.png",
        "Testing/glioma/c.png",
        "Testing/notumor/d.png",
    )
    with pytest.raises(DataError, match="both have glioma, notumor, and none is named good, normal or healthy"):
        read(tmp_path)


def test_class_folders(tmp_path: Path) -> None:
    save(tmp_path, "normal/a.png", "glioma/b.png")
    assert names_and_labels(tmp_path, "train") == {"normal/a.png": 0}
    assert names_and_labels(tmp_path, "test") == {"glioma/b.png": 1, "normal/a.png": 0}


def test_missing_split(tmp_path: Path) -> None:
    save(tmp_path, "train/good/a.png")
    with pytest.raises(DataError, match="has a train folder but no test folder"):
        read(tmp_path, split="test")


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"folder .*: no images for split 'train'; expected PNG"):
        read(tmp_path)
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(DataError, match="no images"):
        read(tmp_path)
    (tmp_path / "broken.png").write_text("text")
    with pytest.raises(DataError, match=r"no readable image. broken.png: not a PNG"):
        read(tmp_path, skip_unreadable=True)
    with pytest.raises(DataError, match=r"1 unreadable: notes.txt: not a PNG"):
        read(tmp_path / "notes.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_file_without_permission(tmp_path: Path) -> None:
    save(tmp_path, "a.png", "b.png")
    (tmp_path / "b.png").chmod(0)
    with pytest.raises(DataError, match=r"b.png: PermissionError"):
        read(tmp_path)


def test_list_of_paths(tmp_path: Path) -> None:
    save(tmp_path, "b.png", "a.png")
    paths = [tmp_path / "b.png", str(tmp_path / "a.png")]
    assert read(paths, image_size=4).names == [str(path) for path in paths]
    with pytest.raises(DataError, match="no such file"):
        read([*paths, tmp_path / "c.png"])
    with pytest.raises(DataError, match="is a folder"):
        read([tmp_path])


def test_progress(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "a.png", "b.png")
    assert len(read(tmp_path, progress=True)) == 2
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich then takes the stream for a terminal
    assert read(tmp_path, progress=True).names == ["a.png", "b.png"]
    out, err = capfd.readouterr()
    assert out == ""
    assert "reading images" in err
