"""Writes the README's tables from the JSON files in benchmarks/results: python benchmarks/readme_tables.py"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def auto_vs_fixed() -> str:
    """Detection with the automatic d beside the labelled sweep."""
    document = json.loads((ROOT / "benchmarks/results/auto_vs_fixed.json").read_text())
    lines = [
        f"AUC on real images, {document['epochs']} epochs, seed"
        f"{'s' if len(document['seeds']) > 1 else ''} {', '.join(map(str, document['seeds']))}, "
        f"{document['device']}; `{document['command']}`:",
        "",
        "| data | chosen d | default score | paper's score, same d | sweep's best by labels (paper's score) "
        "| fixed d = 16 | cost of the fit, in trainings |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in document["sets"]:
        s = entry["summary"]
        lines.append(
            f"| {entry['data']} | {', '.join(map(str, s['chosen_d']))} | **{s['auc_surprisal']:.3f}** "
            f"| {s['auc_residual']:.3f} | {s['oracle_auc']:.3f} (d = {s['oracle_d']}) "
            f"| {s['fixed_auc']['16']:.3f} | {s['cost']:.2f} |"
        )
    return "\n".join(lines)


TABLES = {"real": auto_vs_fixed}


def main() -> None:
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        block = f"<!-- table: {name} -->\n{make()}\n<!-- end -->"
        text = re.sub(rf"<!-- table: {name} -->.*?<!-- end -->", lambda _, b=block: b, text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
