"""What the tables have in common."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def results(name: str) -> Any:
    """What `benchmarks/results/<name>.json` holds."""
    return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())


def table(head: list[str], rows: dict[str, list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head)]
    lines += [[label, *cells, *[""] * (len(head) - 1 - len(cells))] for label, cells in rows.items()]
    return [f"| {' | '.join(line)} |" for line in lines]


def trainings(text: str, document: dict[str, Any]) -> str:
    """A title that says how long was trained, on what, and by which command."""
    epochs, seeds = sorted({one["epochs"] for one in document["sets"]}), document["seeds"]
    return (
        f"{text}{' to '.join(str(e) for e in dict.fromkeys((epochs[0], epochs[-1])))} epochs, "
        f"{named(seeds)}, {document['device']}; `{document['command']}`:"
    )


def named(seeds: list[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def mean(values: list[float]) -> float:
    return sum(values) / len(values)
