"""Writes the tables of README and docs from the JSON files in benchmarks/results: python benchmarks/readme_tables.py"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


METHODS = {
    "oracle": "sweep of 8, best by labels",
    "fixed-8": "d = 8",
    "fixed-16": "d = 16",
    "elbow": "elbow of the held-out error",
    "pca": "PCA, 95 % of the variance",
    "twonn": "TwoNN intrinsic dimension",
    "irmae": "IRMAE-WD",
    "least-volume": "Least Volume",
    "select": "**entropix**",
    "prune": "**entropix, prune**",
    "constrain": "**entropix, constrain**",
}
DETECTORS = {
    "default": "**entropix**",
    "default-papers-score": "the same network, paper's score",
    "labelled-sweep": "sweep of 8, best by labels, paper's score",
    "vae": "VAE, d = 16",
    "ae-u": "AE-U, d = 16",
    "pca": "PCA reconstruction",
    "isolation-forest": "isolation forest on PCA",
    "one-class-svm": "one-class SVM on PCA",
    "knn": "5 nearest images",
}


def auto_vs_fixed() -> str:
    """AUC with every way to choose d, by set; regret and cost."""
    document = json.loads((ROOT / "benchmarks/results/auto_vs_fixed.json").read_text())
    sets = document["sets"]
    rows = {}
    for name in METHODS:
        entries = [row for one in sets for row in one["methods"] if row["method"] == name]
        if not entries:
            continue
        cells = [f"{row['auc_residual']:.3f} ({_mean_d(row['d'])})" for row in entries]
        regret = [100 * row["regret"] for row in entries]
        cost = _mean([row["cost"] for row in entries])
        # others than our fits are judged by the sweep's network anyway
        choice = _mean([100 * row.get("regret_of_choice", row["regret"]) for row in entries])
        rows[METHODS[name]] = [*cells, f"{choice:.1f}", f"{_mean(regret):.1f}", f"{max(regret):.1f}", f"{cost:.1f}"]
    default = [next(row for row in one["methods"] if row["method"] == "select") for one in sets]
    gain = [100 * (row["regret"] - row["auc_surprisal"] + row["auc_residual"]) for row in default]
    scores = [f"**{row['auc_surprisal']:.3f}**" for row in default]
    chosen, cost = rows["**entropix**"][-4], rows["**entropix**"][-1]
    rows["**entropix, default score**"] = [*scores, chosen, f"{_mean(gain):.1f}", f"{max(gain):.1f}", cost]
    head = ["choice of d", *(one["data"] for one in sets), "regret of d alone", "regret", "worst", "cost"]
    title = "AUC of the paper's score (d), mean and worst regret in AUC points, cost in fixed-d trainings; "
    return "\n".join([_title(title, document), "", *_table(head, rows)])


def many_tasks() -> str:
    """The default fit on sets of all kinds: its AUC beside scores of one line, localisation, false positives."""
    document = json.loads((ROOT / "benchmarks/results/many_tasks.json").read_text())
    columns = ("surprisal", "squared error", "squared error / variance", "PCA", "k-NN")
    rows = {}
    for one in document["sets"]:
        runs = one["runs"]
        cells = [f"{_mean([run['auc'][column] for run in runs]):.3f}" for column in columns]
        place = [_mean([run[key] for run in runs]) for key in ("pixel_ap", "pixel_ap_squared_error")]
        false = _mean([run["false_positive_rate"] for run in runs])
        rows[one["data"]] = [*cells, " / ".join(f"{value:.3f}" for value in place), f"{false:.3f}"]
    head = ["set", "**entropix**", *columns[1:], "lesions: pixel AP / squared error's", "false positives at .05"]
    seeds = ", ".join(map(str, document["seeds"]))
    title = f"AUC on the labelled test images, default fits, seed {seeds}, {document['device']}; "
    title += f"`{document['command']}`:"
    return "\n".join([title, "", *_table(head, rows)])


def detection() -> str:
    """AUC by set and, for simulated lesions, pixel AP and best Dice, of the default fit beside other detectors."""
    document = json.loads((ROOT / "benchmarks/results/detection.json").read_text())
    rows = {}
    for name, label in DETECTORS.items():
        entries = [row for one in document["sets"] for row in one["methods"] if row["method"] == name]
        rows[label] = [f"{row['auc']:.3f} / {row['ap']:.3f}" for row in entries]
        place = [_mean([row[key] for row in entries]) for key in ("pixel_ap", "dice") if key in entries[0]]
        rows[label].append(" / ".join(f"{value:.3f}" for value in place))
    head = ["detector", *(one["data"] for one in document["sets"]), "lesions: pixel AP / best Dice"]
    title = "AUC / AP on the labelled test images; simulated lesions on normal ones, mean over kinds, sizes and sets; "
    return "\n".join([_title(title, document), "", *_table(head, rows)])


def _title(text: str, document: dict[str, Any]) -> str:
    epochs, seeds = sorted({one["epochs"] for one in document["sets"]}), document["seeds"]
    return (
        f"{text}{' to '.join(str(e) for e in dict.fromkeys((epochs[0], epochs[-1])))} epochs, seed"
        f"{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}, {document['device']}; `{document['command']}`:"
    )


def _table(head: list[str], rows: dict[str, list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *([label, *cells] for label, cells in rows.items())]
    return [f"| {' | '.join(line)} |" for line in lines]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _mean_d(chosen: list[float]) -> str:
    return f"{_mean(chosen):.3g}"


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
    took = cells["time/20000/16/5"]
    cpu = {name: took[name]["cpu_seconds"] for name in ("entropix kl", "entropix auto", "infomeasure", "ennemi")}
    plain, auto = (f"{cpu['infomeasure'] / cpu[m]:.0f} and {cpu['ennemi'] / cpu[m]:.0f}" for m in list(cpu)[:2])
    lines += [
        "",
        f"20,000 points in 16 dimensions, one thread: the plain estimate is {plain} times faster than infomeasure's "
        f"and ennemi's (processor seconds), `auto` {auto} times.",
    ]
    return "\n".join(lines)


def training() -> str:
    """Our training beside the loop of the paper's benchmark."""
    document = json.loads((ROOT / "benchmarks/results/training.json").read_text())
    speed, runs = document["speed"], document["quality"]
    rows = {}
    for name, rates in speed.items():
        by_clock, by_processor = (rates[unit]["median"] for unit in ("images_per_second", "images_per_cpu_second"))
        rows[name] = [f"{by_clock:.0f}", f"{by_processor:.0f}"]
        if name == "benchmark loop, files opened every time":
            rows[name] += ["", "", ""]
            continue
        ends = [run[name] if name == "benchmark loop" else run[name][-1] if "faster" in run else None for run in runs]
        errors = [end["error"] for end in ends if end]
        rows[name] += [
            f"{_mean(errors):.4f}" if len(errors) == len(ends) else "-",  # a mean of other seeds is no comparison
            ", ".join(str(end["epochs"]) if end else "-" for end in ends),
            ", ".join(f"{end['cpu_seconds']:.0f}" if end else "-" for end in ends),
        ]
    head = ["", "images/s", "images/s of processor time", "held-out error", "epochs", "processor seconds"]
    faster = [run["faster"]["cpu_seconds"] for run in runs if "faster" in run]
    times = f"{min(faster):.1f} to {max(faster):.1f} times faster" if faster else "none does"
    return "\n".join(
        [
            f"{document['data']}, {document['n_train']} training images of {document['image_size']} x "
            f"{document['image_size']}, d = {document['latent_dim']}, {document['machine']}; `{document['command']}`:",
            "",
            *_table(head, rows),
            "",
            f"The loop's best of {document['epochs']} epochs in seeds {', '.join(map(str, document['seeds']))}, and "
            f"the shortest of our trainings that reaches it: {times}.",
        ]
    )


def growth() -> str:
    """What a fit costs by size of the images, length of the code, number of images, rows and processes."""
    document = json.loads((ROOT / "benchmarks/results/growth.json").read_text())
    rows = {
        f"training, {name}": [f"{value:.2f} ms an image shown"]
        for name, value in document["training_ms_per_image"].items()
    }
    for part in document["rest_of_fit"]:
        rows[f"all but training, n = {part['n']:,}"] = [f"{part['cpu_ms_per_image']:.1f} ms an image"]
    for part in document["entropy"]:
        rows[f"`entropy` of {part['n']:,} rows, d = {part['d']}"] = [
            f"{part['auto_cpu_seconds']:.2f} s, by neighbours alone {part['kl_cpu_seconds']:.2f} s"
        ]
    for part in document["processes"]:
        rows[f"training, 64, d = 16, {part['processes']} process{'es' * (part['processes'] > 1)}"] = [
            f"{part['cpu_ms_per_image']:.2f} ms an image shown, all together"
        ]
    million = document["million"]
    rows["**training on a million images, computed**"] = [
        f"{million['training_hours']:.1f} h for {million['epochs']} epochs of the {million['n_train']:,} not held out"
    ]
    title = f"Processor time, {document['machine']}; `{document['command']}`:"
    return "\n".join([title, "", *_table(["what", "cost"], rows)])


def scale() -> str:
    """Memory and time of whole fits by the number of images."""
    document = json.loads((ROOT / "benchmarks/results/scale.json").read_text())
    rows = {
        f"{fit['n']:,}": [
            str(fit["epochs"]),
            f"{fit['peak_gib']:.1f}",
            f"{fit['cpu_ms_per_image']:.2f}",
            f"{fit['scored_per_cpu_second']:,}",
        ]
        for fit in document["fits"]
    }
    head = ["images", "epochs", "most memory, GiB", "ms an image shown", "images scored a second"]
    title = f"Whole fits of 64 x 64 images, processor time, {document['machine']}; `{document['command']}`:"
    return "\n".join([title, "", *_table(head, rows)])


TABLES = {
    "real": auto_vs_fixed,
    "detection": detection,
    "many": many_tasks,
    "neighbours": neighbours,
    "entropies": entropies,
    "training": training,
    "growth": growth,
    "scale": scale,
}


PAGES = [ROOT / "README.md", ROOT / "docs/performance.md", ROOT / "docs/scores.md"]


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
