"""Every Python block of the documentation runs, and what it names exists: commands, names, files, tests."""

import importlib
import re
from pathlib import Path

import pytest
from helpers import python_blocks
from typer.main import get_command

from entropix.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in [*DOCS.glob("*.md"), *ROOT.glob("*.md")]}
USER_PAGES = {"README.md", *PAGES} - {"contributing.md", "theory.md"}


@pytest.mark.parametrize("name", PAGES)
def test_python_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = python_blocks(TEXTS[name])
    assert blocks or name in ("api.md", "compare.md", "contributing.md", "glossary.md")
    for block in blocks:
        exec(compile(block, name, "exec"), names)


def test_commands_exist() -> None:
    text = "".join(TEXTS[name] for name in PAGES)
    used = set(re.findall(r"(?:^\$ |`)entropix (\w+)", text, flags=re.MULTILINE))
    assert used
    assert used <= set(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(USER_PAGES))
def test_names_exist_and_are_public(name: str) -> None:
    for dotted in set(re.findall(r"\bentropix(?:\.\w+)+", TEXTS[name])):
        assert "._" not in dotted, f"{dotted} is private"
        found: object = importlib.import_module("entropix")
        for part in dotted.split(".")[1:]:
            if not hasattr(found, part):
                found = importlib.import_module(f"{found.__name__}.{part}")  # type: ignore[attr-defined]
            else:
                found = getattr(found, part)
    assert not re.search(r"\btwins?\b|entropix/\w+/_", TEXTS[name])


def test_named_tests_exist() -> None:
    text = "".join(TEXTS.values())
    named = set(re.findall(r"\b((?:[\w/]+/)?test_\w+\.py)(?:::(\w+))?", text))
    assert len(named) > 20
    for name, function in named:
        found = [path for path in (ROOT / "tests").rglob("test_*.py") if str(path.relative_to(ROOT)).endswith(name)]
        assert found, name
        assert not function or any(f"def {function}(" in path.read_text(encoding="utf-8") for path in found), function


def places(text: str) -> list[Path]:
    """The files and folders that stand in backquotes, from the root of the repository or from entropix/."""
    named = set(re.findall(r"`((?:[\w.-]+/)*(?:[\w-]+\.(?:py|pyi|sh|md|txt|toml|html|cpp)|(?<=/)))`", text))
    found = {name: [above / name for above in (ROOT, ROOT / "entropix") if (above / name).exists()] for name in named}
    assert [name for name, there in found.items() if not there] == []
    return [there[0] for there in found.values()]


def test_contributing_names_what_exists() -> None:
    assert len(places(TEXTS["CONTRIBUTING.md"])) > 50


def test_contributing_says_where_new_things_go() -> None:
    """Names in code of the second table are in the files of their row, or in those right in its folders."""
    table = TEXTS["CONTRIBUTING.md"].partition("| new | touch |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) >= 9
    for row in rows:
        inside = [one for path in places(row) for one in ([path] if path.is_file() else path.glob("*.*"))]
        text = "".join(path.read_text(encoding="utf-8") for path in inside if path.is_file())
        names = re.findall(r"`(\w+)`", row)
        assert [name for name in names if name not in text] == []
