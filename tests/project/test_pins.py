"""`constraints.txt` pins every requirement once for every supported Python, to a version that meets it."""

from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.10", "3.11", "3.12", "3.13")


def requirements() -> list[Requirement]:
    """Of the build, the package and its extras, without those that are extras themselves."""
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = read["project"]["optional-dependencies"].values()
    lines = [*read["build-system"]["requires"], *read["project"]["dependencies"], *(one for e in extras for one in e)]
    return [one for one in map(Requirement, lines) if one.name != read["project"]["name"]]


@pytest.mark.parametrize("python", VERSIONS)
def test_every_requirement_has_a_pin(python: str) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    here = [one for one in pins if one.marker is None or one.marker.evaluate({"python_version": python})]
    assert len({one.name for one in here}) == len(here), "two pins of one package"
    versions = {one.name: next(iter(one.specifier)) for one in here}
    assert {version.operator for version in versions.values()} == {"=="}
    unmet = [str(r) for r in requirements() if r.name not in versions or versions[r.name].version not in r.specifier]
    assert unmet == []


def test_the_supported_versions_are_those_of_the_pins() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [name.rpartition(" ")[2] for name in project["classifiers"] if ":: Python ::" in name]
    assert tuple(named) == VERSIONS
    assert project["requires-python"] == ">=3.10"
