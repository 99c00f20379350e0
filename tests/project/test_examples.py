"""The notebooks in examples/ run, and are kept with their results."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_runs_and_shows(path: Path) -> None:
    """In this process, so that no Jupyter is needed: what ends a cell is shown as a notebook would show it."""
    cells = code_cells(path)
    if any("import pandas" in "".join(cell["source"]) for cell in cells):
        pytest.importorskip("pandas")  # of the extra `notebook`
    names: dict[str, object] = {}
    shown = 0
    for cell in cells:
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, path.name, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), path.name, "eval"), names)
            methods = ("_repr_mimebundle_", "_repr_html_", "_repr_png_")
            shown += any(getattr(value, name)() for name in methods if hasattr(value, name))
    assert shown >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_was_executed(path: Path) -> None:
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert any("text/html" in output.get("data", {}) for output in outputs)
    assert path.stat().st_size < 300_000


def test_there_is_one_for_each_kind_of_reader() -> None:
    assert [path.stem for path in EXAMPLES] == ["information", "radiographs", "volumes"]
