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
        "| fixed d = 16 |",
        "|---|---|---|---|---|---|",
    ]
    for entry in document["sets"]:
        s = entry["summary"]
        lines.append(
            f"| {entry['data']} | {', '.join(map(str, s['chosen_d']))} | **{s['auc_surprisal']:.3f}** "
            f"| {s['auc_residual']:.3f} | {s['oracle_auc']:.3f} (d = {s['oracle_d']}) "
            f"| {s['fixed_auc']['16']:.3f} |"
        )
    return "\n".join(lines)


def neighbours() -> str:
    """k nearest neighbours on the CPU beside the fastest rival of each size."""
    document = json.loads((ROOT / "benchmarks/results/knn_cpu.json").read_text())
    prefix = document["prefix_knn"]
    lines = [
        f"Seconds for the {document['k']} nearest neighbours of every point, {document['device']}; "
        f"`{document['command']}`:",
        "",
        "| n | d | entropix | best rival | | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in document["knn"]:
        rival, seconds = row["best_rival"], row["seconds"]
        lines.append(
            f"| {row['n']:,} | {row['d']} | {seconds['entropix']:.4f} | {seconds[rival]:.4f} | {rival} "
            f"| {row['ratio']:.1f} |"
        )
    lines += [
        "",
        f"Geometric mean of the ratios: {document['ratio_geometric_mean']:.1f}. All {prefix['D']} prefixes of "
        f"{prefix['n']:,} codes in one pass: {prefix['ratio']:.0f} times faster than the best rival once per prefix.",
    ]
    return "\n".join(lines)


def entropies() -> str:
    """Error of the entropy estimates on families of known entropy."""
    document = json.loads((ROOT / "benchmarks/results/estimators.json").read_text())
    cells, dims = document["cells"], (2, 8, 16, 32, 64)
    families = ("normal", "equicorrelated", "laplace", "student5", "cube", "two_clusters", "four_clusters")
    lines = [
        "Mean absolute error in nats over 10 draws of 2,000 points, `entropix.entropy(x)` and, in brackets, the plain "
        f"Kozachenko-Leonenko estimate; `{document['environment']['command']}`:",
        "",
        f"| family | {' | '.join(f'd = {d}' for d in dims)} |",
        f"|---|{'---|' * len(dims)}",
    ]
    for family in families:
        auto, kl = ([cells[f"entropy/{m}/{family}/{d}/2000/10"]["mae"] for d in dims] for m in ("auto", "kl"))
        values = " | ".join(f"{a:.2f} ({k:.2f})" for a, k in zip(auto, kl, strict=True))
        lines.append(f"| {family.replace('_', ' ')} | {values} |")
    return "\n".join(lines)


TABLES = {"real": auto_vs_fixed, "neighbours": neighbours, "entropies": entropies}


def main() -> None:
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        block = f"<!-- table: {name} -->\n{make()}\n<!-- end -->"
        text = re.sub(rf"<!-- table: {name} -->.*?<!-- end -->", lambda _, b=block: b, text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
