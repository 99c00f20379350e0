"""Name and version of the distribution are each said in one place, and everything else agrees with it."""

import importlib.metadata
import re
from pathlib import Path
from typing import Any

import pytest

import entropix

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return read


def test_the_version_stands_in_one_place(pyproject: dict[str, Any]) -> None:
    assert pyproject["project"]["dynamic"] == ["version"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "entropix._version.__version__"}
    assert entropix.__version__ == entropix._version.__version__
    others = ("pyproject.toml", "setup.py", "README.md", "CITATION.cff")
    assert [name for name in others if entropix.__version__ in (ROOT / name).read_text(encoding="utf-8")] == []


def test_the_installed_distribution_has_name_and_version(pyproject: dict[str, Any]) -> None:
    try:
        installed = importlib.metadata.version(pyproject["project"]["name"])
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("entropix runs from its source folder")
    assert installed == entropix.__version__


def test_changelog_begins_with_what_is_unreleased_and_knows_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+)", text, flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert entropix.__version__ in headings


def test_nobody_is_sent_to_the_other_entropix(pyproject: dict[str, Any]) -> None:
    """`pip install entropix` gives another project: extras are installed from a clone, and refer to our own name."""
    name = pyproject["project"]["name"]
    assert name != "entropix"
    extras = [line for one in pyproject["project"]["optional-dependencies"].values() for line in one]
    assert {line.partition("[")[0] for line in extras if line.startswith("entropix")} == {name}
    folders = ("entropix", "docs", "benchmarks")
    files = [path for folder in folders for end in ("py", "md", "sh") for path in (ROOT / folder).rglob(f"*.{end}")]
    texts = {path: path.read_text(encoding="utf-8") for path in [*files, *ROOT.glob("*.md")]}
    stranger = re.compile(r"pip install [^`\n&]*?(?<![\w-])entropix\b(?!-)")
    assert [str(path) for path, text in texts.items() if stranger.search(text)] == []
    assert f"`{name}`" in texts[ROOT / "README.md"]


def test_every_install_hint_names_an_extra(pyproject: dict[str, Any]) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "entropix").rglob("*.py")]
    hinted = {extra for text in texts for extra in re.findall(r"install_hint\(['\"](\w+)['\"]\)", text)}
    assert {"dicom", "export", "fabric", "tensorboard"} <= hinted
    assert hinted <= set(pyproject["project"]["optional-dependencies"])
