"""Every Python block of the documentation runs, and its commands exist."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from entropix.cli import app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))


@pytest.mark.parametrize("name", PAGES)
def test_python_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / name).read_text(encoding="utf-8")
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks or name in ("api.md", "contributing.md")
    for block in blocks:
        exec(compile(block, name, "exec"), names)


def test_commands_exist() -> None:
    text = "".join((DOCS / name).read_text(encoding="utf-8") for name in PAGES)
    used = set(re.findall(r"(?:^\$ |`)entropix (\w+)", text, flags=re.MULTILINE))
    assert used
    assert used <= set(get_command(app).commands)  # type: ignore[attr-defined]


def test_contributing_names_what_exists() -> None:
    root = DOCS.parent
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+(?:\.(?:py|sh|html)|/))`", text))
    missing = [name for name in named if not any((root / above / name).exists() for above in ("", "entropix"))]
    assert len(named) > 30
    assert missing == []
