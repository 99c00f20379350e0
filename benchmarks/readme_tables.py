"""Writes the tables of README and docs from the JSON files in benchmarks/results: python benchmarks/readme_tables.py"""

import re

from page_tables.choice_of_d import auto_vs_fixed, headline, images_shown
from page_tables.estimates import coverage, entropies
from page_tables.layout import ROOT
from page_tables.scores import copies, many_tasks, new_site, redraws, score_parts
from page_tables.speed import cuda, growth, neighbours, scale, training
from page_tables.users import first_minutes, tutorials

TABLES = {
    "headline": headline,
    "real": auto_vs_fixed,
    "many": many_tasks,
    "copies": copies,
    "score_parts": score_parts,
    "redraws": redraws,
    "new_site": new_site,
    "neighbours": neighbours,
    "cuda": cuda,
    "entropies": entropies,
    "training": training,
    "growth": growth,
    "scale": scale,
    "coverage": coverage,
    "tutorials": tutorials,
    "images_shown": images_shown,
    "first_minutes": first_minutes,
}

PAGES = [
    ROOT / "README.md",
    *(
        ROOT / f"docs/{name}.md"
        for name in ("choosing", "compare", "estimators", "index", "method", "performance", "scores")
    ),
]


def main() -> None:
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """A page with its tables as the results have them."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]]()}\n<!-- end -->"

    return re.sub(r"(<!-- table: (\w+) -->).*?<!-- end -->", block, text, flags=re.DOTALL)


if __name__ == "__main__":
    main()
