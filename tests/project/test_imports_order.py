"""Imports of entropix go one way, in the order of CONTRIBUTING.md, without circles and through the packages' doors.

Counted are imports anywhere in a file: in functions and for type checkers only, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Import:
    """Line `line` of the module `by` imports the module `module`, or `name` from it."""

    by: str
    line: int
    module: str
    name: str = ""

    def __str__(self) -> str:
        what = f"import {self.module}" if not self.name else f"from {self.module} import {self.name}"
        return f"{self.by}:{self.line}: {what}"


def dotted(path: Path) -> str:
    """The name under which the file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for path in sorted((ROOT / "entropix").rglob("*.py"))}


def imports_of(by: str, text: str) -> Iterator[Import]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found = [Import(by, node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{by}:{node.lineno}: imports have full names"
            module = node.module or ""
            found = [
                Import(by, node.lineno, inner)
                if (inner := f"{module}.{alias.name}") in MODULES
                else Import(by, node.lineno, module, alias.name)
                for alias in node.names
            ]
        else:
            continue
        yield from (one for one in found if one.module.split(".")[0] == "entropix")


IMPORTS = [one for name, path in MODULES.items() for one in imports_of(name, path.read_text(encoding="utf-8"))]


def top(module: str) -> str:
    """The package or module right below entropix that holds `module`; entropix for its own `__init__`."""
    return module.split(".")[1] if "." in module else module


def documented_order() -> list[str]:
    """What `top` gives, lowest first, as the first table of CONTRIBUTING.md has it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| what | where |")[2].partition("\n\n")[0]
    places = [line.split("|")[2] for line in table.splitlines()[2:]]
    names = [name for place in places for name in re.findall(r"`entropix/(\w+)(?:/|\.py)`", place)]
    return [*("entropix" if name == "__init__" else name for name in names), "__main__"]


def test_the_order_names_every_package_once() -> None:
    order = documented_order()
    assert len(order) == len(set(order))
    assert set(order) == {top(module) for module in MODULES}


def test_nothing_imports_what_stands_above_it() -> None:
    level = {name: i for i, name in enumerate(documented_order())}
    upwards = [str(one) for one in IMPORTS if level[top(one.module)] > level[top(one.by)]]
    assert upwards == []


def test_no_circles() -> None:
    graph = {by: {one.module for one in IMPORTS if one.by == by} for by in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_packages_go_through_each_others_doors() -> None:
    """`from entropix.training import train`, never `from entropix.training._loop import train`."""
    abroad = [one for one in IMPORTS if top(one.module) != top(one.by)]
    assert len(abroad) > 100
    inside = [one for one in abroad if any(map(is_private, [*one.module.split(".")[2:], one.name]))]
    assert [str(one) for one in inside] == []


def test_every_kind_of_import_is_seen() -> None:
    text = (
        "from typing import TYPE_CHECKING\nimport entropix.data as d, torch\n"
        "if TYPE_CHECKING:\n    from entropix.training import _loop, train\n"
        "def f():\n    from entropix import models\n"
    )
    seen = {str(one) for one in imports_of("here", text)}
    assert seen == {
        "here:2: import entropix.data",
        "here:4: import entropix.training._loop",
        "here:4: from entropix.training import train",
        "here:6: import entropix.models",
    }
