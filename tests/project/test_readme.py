"""The README's Python runs as it stands, and its commands exist."""

import re
from pathlib import Path

import pytest
from helpers import python_blocks
from typer.main import get_command

from entropix.cli import app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = python_blocks(README)
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    expected = {"scores": (100,), "maps": (100, 64, 64), "p": (100,), "labels": (100,), "distances": (2000, 5)}
    assert {name: names[name].shape for name in expected} == expected  # type: ignore[attr-defined]
    assert (names["scores"] == names["scores_again"]).all()  # type: ignore[attr-defined]


def test_commands_exist() -> None:
    used = set(re.findall(r"^\$ entropix (\w+)", README, flags=re.MULTILINE))
    assert used == set(get_command(app).commands) - {"demo"}  # type: ignore[attr-defined]
