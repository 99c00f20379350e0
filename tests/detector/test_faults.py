"""Outputs that can't be written and inputs that vanish: what the user is told, and that nothing is lost."""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import contents
from PIL import Image

import entropix
from entropix.data import DataError
from entropix.data import _spool as spool
from entropix.data.formats import _pillow as pillow
from entropix.detector import _storage as storage

SETTINGS: dict[str, Any] = {"image_size": 16, "epochs": 2, "latent_dim": 2, "device": "cpu", "progress": False}


@pytest.fixture
def folder(images: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.mkdir()
    for i, image in enumerate(images):
        Image.fromarray((image[0] * 255).astype(np.uint8)).save(path / f"{i:03d}.png")
    return path


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be made; modes don't stop the superuser, the kernel's own folders do."""
    place = Path("/sys") if os.geteuid() == 0 else tmp_path / "locked"
    if os.geteuid():
        place.mkdir(mode=0o555)
    try:
        (place / "probe").mkdir()
    except OSError:
        yield place
    else:
        pytest.skip("no place here that can't be written")


def test_unwritable_output_is_said_before_training(folder: Path, unwritable: Path) -> None:
    with pytest.raises(OSError, match=str(unwritable / "model")):
        entropix.fit(folder, out=unwritable / "model", on_epoch=lambda _: pytest.fail("it trained"), **SETTINGS)


@pytest.mark.parametrize("error", [errno.EROFS, errno.ENOSPC])
def test_output_that_fails_at_the_end(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    entropix.fit(folder, out=tmp_path / "whole", **SETTINGS)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(error, os.strerror(error), str(tmp_path / "model"))

    with monkeypatch.context() as patch:
        patch.setattr(storage, "save", fail)
        with pytest.raises(OSError, match=os.strerror(error)):
            entropix.fit(folder, out=tmp_path / "model", **SETTINGS)
    assert not (tmp_path / "model").exists()
    seen: list[int] = []
    entropix.fit(folder, out=tmp_path / "model", resume=True, on_epoch=lambda at: seen.append(at.epoch), **SETTINGS)
    assert seen == []  # it was trained
    assert contents(tmp_path / "model") == contents(tmp_path / "whole")


@pytest.mark.parametrize("kind", [np.asarray, list], ids=["one block", "many blocks"])
def test_temporary_folder_that_is_full(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)
    data = kind(np.random.default_rng(0).random((100, 16, 16)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        with pytest.raises(OSError, match=r"go to a file in .*, which failed .*TMPDIR"):
            entropix.fit(data, on_epoch=lambda _: pytest.fail("it trained"), **SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_file_that_vanishes_while_it_is_read(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = pillow.decode

    def remove(path: Path) -> Any:
        (folder / "099.png").unlink(missing_ok=True)
        return decode(path)

    monkeypatch.setattr(pillow, "decode", remove)
    spare = shutil.copy(folder / "099.png", tmp_path / "spare.png")
    with pytest.raises(DataError, match=r"099\.png.*No such file.*--skip-unreadable"):
        entropix.fit(folder, out=tmp_path / "model", cache=False, **SETTINGS)
    assert not (tmp_path / "model").exists()
    shutil.copy(spare, folder / "099.png")
    detector = entropix.fit(folder, skip_unreadable=True, cache=False, **SETTINGS)
    ((name, reason),) = detector.settings_["unreadable"]
    assert name == "099.png"
    assert "No such file" in reason


def test_folder_that_vanishes_during_the_training(folder: Path, tmp_path: Path) -> None:
    entropix.fit(folder, out=tmp_path / "whole", **SETTINGS)

    class Stop(Exception):
        pass

    def remove(_: Any) -> None:
        folder.rename(tmp_path / "elsewhere")

    entropix.fit(folder, out=tmp_path / "model", on_epoch=lambda at: remove(at) if at.epoch == 1 else None, **SETTINGS)
    assert contents(tmp_path / "model") == contents(tmp_path / "whole")
    (tmp_path / "elsewhere").rename(folder)

    def stop(_: Any) -> None:
        raise Stop

    with pytest.raises(Stop):
        entropix.fit(folder, out=tmp_path / "third", on_epoch=stop, **SETTINGS)
    remove(None)
    with pytest.raises(DataError, match="images"):
        entropix.fit(folder, out=tmp_path / "third", resume=True, **SETTINGS)
    assert (tmp_path / "third.checkpoint" / "training.safetensors").exists()
    (tmp_path / "elsewhere").rename(folder)
    entropix.fit(folder, out=tmp_path / "third", resume=True, **SETTINGS)
    assert contents(tmp_path / "third") == contents(tmp_path / "whole")


def test_the_documented_table_names_tests_that_exist() -> None:
    here = Path(__file__).parents[1]
    rows = [
        row
        for row in (here.parent / "docs/performance.md").read_text(encoding="utf-8").splitlines()
        if row.startswith("| ") and ".py" in row.split("|")[3]
    ]
    assert len(rows) >= 14
    for row in rows:
        file = ""
        for other_file, function, same_file in re.findall(
            r"`(?:(test_\w+\.py)(?:::(\w+))?|(test_\w+))`", row.split("|")[3]
        ):
            file = other_file or file
            name = function or same_file
            assert (f"def {name}(" if name else "def test_") in next(here.rglob(file)).read_text(encoding="utf-8")
