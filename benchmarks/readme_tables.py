"""Writes the tables of README and docs from the JSON files in benchmarks/results: python benchmarks/readme_tables.py"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


ABOUT = ("lesions: pixel AP over the squared error's", "false positives at .05", "d")
METHODS = {
    "oracle": "sweep of 8, best by labels",
    "fixed-4": "d = 4",
    "fixed-8": "d = 8",
    "fixed-16": "d = 16",
    "fixed-32": "d = 32",
    "elbow": "elbow of the held-out error",
    "pca": "PCA, 95 % of the variance",
    "twonn": "TwoNN intrinsic dimension",
    "irmae": "IRMAE-WD",
    "least-volume": "Least Volume",
    "select": "**entropix**",
    "prune": "**entropix, prune**",
    "constrain": "**entropix, constrain**",
}


def auto_vs_fixed() -> str:
    """Every way to choose d, over all sets: AUC of both scores, regret, and its distance from the best constant d's."""
    document = json.loads((ROOT / "benchmarks/results/auto_vs_fixed.json").read_text())
    rows = {}
    for name, one in document["summary"].items():
        low, high = (100 * bound for bound in one["interval"])
        more = "" if name == one["beyond"] else f"{100 * one['more']:+.1f} ({low:+.1f} to {high:+.1f})"
        aucs = [f"{one[f'auc_{score}']:.3f}" for score in ("residual", "surprisal")]
        rows[METHODS[name]] = [*aucs, f"{100 * one['regret']:.1f}", f"{100 * one['worst']:.1f}", more]
    best = METHODS[one["beyond"]]
    head = [
        "choice of d",
        "AUC, paper's score",
        "AUC, default score",
        "regret of d",
        "worst",
        f"more than {best} (95 %)",
    ]
    title = f"Means over {len(document['sets'])} sets, regret in AUC points of the paper's score; "
    return "\n".join([_title(title, document), "", *_table(head, rows)])


def headline() -> str:
    """The README's one number, with the command that makes it."""
    document = json.loads((ROOT / "benchmarks/results/auto_vs_fixed.json").read_text())
    ours, sweep = document["summary"]["select"]["auc_surprisal"], document["summary"]["oracle"]["auc_residual"]
    seeds = "one seed" if len(document["seeds"]) == 1 else f"{len(document['seeds'])} seeds"
    return (
        f"Without a label: mean AUC {ours:.3f} over {len(document['sets'])} sets. The paper's sweep, with the d that "
        f"labels say is best for each set: {sweep:.3f} ({seeds}; `python benchmarks/auto_vs_fixed.py`, "
        "[table](docs/method.md))."
    )


def tutorials() -> str:
    """The tutorials, and how long a walk through each took."""
    document = json.loads((ROOT / "benchmarks/results/tutorials.json").read_text())
    rows = {}
    for name, took in document.items():
        title = (ROOT / f"docs/tutorial-{name}.md").read_text(encoding="utf-8").partition("\n")[0]
        label = f"[{title.partition(': ')[2]}](tutorial-{name}.md)"
        rows[label] = [f"{took['processor_seconds']} s"]
    return "\n".join(["`python benchmarks/tutorials.py`:", "", *_table(["tutorial", "processor time of a walk"], rows)])


def many_tasks() -> str:
    """The default fit on sets of all kinds beside other scores and detectors: AUC, localisation, false positives."""
    document = json.loads((ROOT / "benchmarks/results/many_tasks.json").read_text())
    summary = document["summary"]
    columns, rows, others = list(summary["columns"]), {}, {}
    for one in document["sets"]:
        runs = one["runs"]
        cells = [f"{_mean([run['auc'][column] for run in runs]):.3f}" for column in columns]
        place = [_mean([run[key] for run in runs]) for key in ("pixel_ap", "pixel_ap_squared_error")]
        false = _mean([run["false_positive_rate"] for run in runs])
        d = ", ".join(str(run["latent_dim"]) for run in runs)
        (rows if one["counted"] else others)[one["data"]] = [*cells, f"{place[0] / place[1]:.1f}", f"{false:.3f}", d]
    rows["**mean**"] = [f"**{summary['columns'][column]['mean']:.3f}**" for column in columns]
    rows["mean rank"] = [f"{summary['columns'][column]['mean_rank']:.1f}" for column in columns]
    rows["most below the best of a set"] = [f"{summary['columns'][column]['worst_loss']:.3f}" for column in columns]
    rows |= {f"{name}, in no mean": cells for name, cells in others.items()}
    head = [
        "set",
        "**entropix** (surprisal)",
        *columns[1:],
        "lesions: pixel AP over the squared error's",
        "false positives at .05",
        "d",
    ]
    seeds = ", ".join(map(str, document["seeds"]))
    title = f"AUC on the labelled test images, default fits, means of seeds {seeds}, {document['device']}; "
    title += f"`{document['command']}`:"
    note = f"Mean ranks closer than {summary['critical_difference']:.1f} are not told apart (Nemenyi, .05)."
    fewer = [one["data"] for one in document["sets"] if len(one["runs"]) < len(document["seeds"])]
    note += f" Fewer seeds: {', '.join(fewer)}." if fewer else ""
    return "\n".join([title, "", *_table(head, rows), "", note])


def _title(text: str, document: dict[str, Any]) -> str:
    epochs, seeds = sorted({one["epochs"] for one in document["sets"]}), document["seeds"]
    return (
        f"{text}{' to '.join(str(e) for e in dict.fromkeys((epochs[0], epochs[-1])))} epochs, seed"
        f"{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}, {document['device']}; `{document['command']}`:"
    )


def _table(head: list[str], rows: dict[str, list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head)]
    lines += [[label, *cells, *[""] * (len(head) - 1 - len(cells))] for label, cells in rows.items()]
    return [f"| {' | '.join(line)} |" for line in lines]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def neighbours() -> str:
    """k nearest neighbours on the CPU: how many times faster than the fastest rival, by n, d and k."""
    document = json.loads((ROOT / "benchmarks/results/knn_cpu.json").read_text())
    rows, prefix = document["knn"], document["prefix_knn"]
    normals = {(row["d"], row["n"], row["k"]): row["ratio"] for row in rows if row["data"] == "normals"}
    columns = sorted({key[1:] for key in normals})
    head = ["d", *(f"n = {n:,}, k = {k}" for n, k in columns)]
    cells = {
        str(d): [f"{normals[d, n, k]:.2f}" if (d, n, k) in normals else "" for n, k in columns]
        for d in sorted({key[0] for key in normals})
    }
    others = [
        f"{row['data']}, n = {row['n']:,}, d = {row['d']}: {row['ratio']:.2f} ({row['best_rival']})"
        for row in rows
        if row["data"] != "normals"
    ]
    rivals = ", ".join(f"{name} {number}" for name, number in document["versions"].items() if name != "python")
    lines = [
        "Processor time of the fastest rival of each cell over ours, below 1 where it is faster; normal rows, float32, "
        f"{document['device']}, load average {document['load_average']}; {rivals}; `{document['command']}`:",
        "",
        *_table(head, cells),
        "",
        f"Geometric mean {document['ratio_geometric_mean']:.2f}, least {document['ratio_least']:.2f}, "
        f"{document['below_95']} of {len(rows)} cells below .95. Data with structure, k = 5: {'; '.join(others)}. "
        f"All {prefix['D']} prefixes of {prefix['n']:,} codes in one pass: {prefix['ratio']:.0f} times faster than the "
        "best rival once per prefix.",
    ]
    return "\n".join(lines)


def cuda() -> str:
    """The CUDA kernels beside PyTorch's operators and what the hardware allows."""
    document = json.loads((ROOT / "benchmarks/results/kernels_cuda.json").read_text())
    rows = {}
    for kernel in ("knn", "prefix_knn", "count_within", "reconstruction_error"):
        for case in document[kernel]:
            size = case.get("shape") or (case["n"], case["d"])
            what = f"`{kernel}`, {' x '.join(f'{length:,}' for length in size)}"
            if "dtype" in case:
                what += f", {case['dtype'].removeprefix('torch.')}{', with the map' if case['map'] else ''}"
            ours, *others = case["ms"].values()
            rows[what] = [f"{ours:.2f}", f"{others[0]:.2f}" if others else "", f"{case['floor_ms']:.2f}"]
    head = ["", "entropix, ms", "PyTorch (cdist and topk; eager), ms", "floor, ms"]
    title = f"{document['device']}, commit {document['commit'][:7]}; `{document['command']}`. The floor counts two "
    title += "instructions for every coordinate of every pair, or every byte once:"
    return "\n".join([title, "", *_table(head, rows)])


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


KINDS = {
    "information": "mutual information, twenty tasks, n = 1,000 and 5,000",
    "divergence": "divergence, twelve pairs, n = 500 and 2,000",
    "entropy": "entropy, 16 families, d = 1, 4, 16, n = 500 and 2,000",
    "groups": "rows in groups",
}


def coverage() -> str:
    """How often intervals hold the truth, by kind of estimate, and every cell that is wrong without saying so."""
    document = json.loads((ROOT / "benchmarks/results/intervals.json").read_text())
    cells, rows = document["cells"], {}
    for kind, name in KINDS.items():
        some = [cell for key, cell in cells.items() if key.startswith(f"{kind}/")]
        held = [cell["coverage"] >= 0.88 for cell in some]
        wrong = [cell["silently_wrong"] for cell in some]
        told = len(some) - sum(held) - sum(wrong)
        median = sorted(cell["coverage"] for cell in some)[len(some) // 2]
        rows[name] = [str(len(some)), f"{median:.2f}", str(sum(held)), str(told), str(sum(wrong))]
    head = ["estimate", "cells", "median coverage", "at least 88 %", "less, but warned of", "**less without a word**"]
    draws = min(cell["draws"] for cell in cells.values())
    title = f"Coverage of the 95 % interval, {draws} draws of each cell, more of those that look unsure; "
    title += f"`{document['environment']['command']}`:"
    worst = [
        f"- {key.replace('/', ', ')}: {cell['coverage']:.2f} held, {cell['warned']:.2f} warned, mean error "
        f"{cell['bias']:+.3f}, standard error {cell['stderr']:.3f}"
        for key, cell in cells.items()
        if cell["silently_wrong"]
    ]
    return "\n".join([title, "", *_table(head, rows), "", "Less without a word:", "", *worst])


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


def copies() -> str:
    """Near copies of a fit's images among test images, and AUCs with and without them."""
    document = json.loads((ROOT / "benchmarks/results/copies.json").read_text())
    rows = {}
    for one in (one for one in document["sets"] if one["copies"]):
        aucs = [
            f"{one['auc'][column]:.3f}, {one['auc_without_copies'][column]:.3f}"
            for column in ("surprisal", "squared error")
            if "auc" in one
        ]
        rows[one["data"]] = [f"{one['copies']} of {one['test']}", *aucs]
    none = sum(not one["copies"] for one in document["sets"])
    title = f"The other {none} of the {len(document['sets'])} sets have none (`{document['command']}`):"
    head = ["set", "near copies among test images", "default score: AUC with, without", "squared error"]
    return "\n".join([title, "", *_table(head, rows)])


def new_site() -> str:
    """What p-values promise on another scanner, before and after a recalibration with 200 images."""
    document = json.loads((ROOT / "benchmarks/results/new_site.json").read_text())
    n = max(row["n"] for row in document["rows"])
    sets = " and ".join(dict.fromkeys(row["data"] for row in document["rows"] if row["n"] == n))
    ways = {"before": "before", "thresholds": "thresholds", "levels": "recalibrated"}
    rows = {
        scanner: [
            f"{one['fpr']:.3f} / {one['power']:.3f} / {one['auc']:.3f}" for one in (found[str(n)][way] for way in ways)
        ]
        for scanner, found in document["mean_over_sets"].items()
    }
    title = (
        f"False positives at alpha = {document['alpha']:g}, AUC of foreign content in normal images of the scanner, "
        f"and AUC by the labels, on a made-up scanner; mean of {sets}, recalibrated with {n} normal images of it; "
        f"{document['epochs']} epochs, d = {document['latent_dim']}, one seed; `{document['command']}`:"
    )
    told = "; ".join(_power(document["rows"], size) for size in sorted({row["n"] for row in document["rows"]}))
    note = f"AUC of foreign content, recalibrated and thresholds alone, means over sets and scanners: {told}."
    return "\n".join([title, "", *_table(["scanner", *ways.values()], rows), "", note])


def _power(rows: list[dict[str, Any]], n: int) -> str:
    """How well foreign content is told after a recalibration with n images, and with new thresholds alone."""
    pairs = [(row["levels"]["power"], row["thresholds"]["power"]) for row in rows if row["n"] == n]
    levels, thresholds = (_mean(list(values)) for values in zip(*pairs, strict=True))
    higher = sum(a > b for a, b in pairs)
    return f"{n} images {levels:.3f} and {thresholds:.3f}, higher in {higher} of {len(pairs)}"


def images_shown() -> str:
    """Held-out error and visibility of trainings of growing length."""
    document = json.loads((ROOT / "benchmarks/results/images_shown.json").read_text())
    d, rows = document["latent_dim"], {}
    for one in document["trainings"]:
        (point,) = (point for point in one["points"] if point["latent_dim"] == d)
        cell = f"{point['error_held_out']:.4f} / {point['visibility']:.3f}"
        rows.setdefault(one["data"], {})[one["shown"]] = cell
    counts = sorted({shown for cells in rows.values() for shown in cells})
    head = ["set", *(f"{shown:,} images shown" for shown in counts)]
    title = f"Held-out error / visibility of foreign content at d = {d}, one seed; `{document['command']}`:"
    return "\n".join(
        [title, "", *_table(head, {name: [cells[shown] for shown in counts] for name, cells in rows.items()})]
    )


def first_minutes() -> str:
    """What the first minutes cost with each library that was tried."""
    document = json.loads((ROOT / "benchmarks/results/first_minutes.json").read_text())
    tried = {"entropix": "entropix", "pyod": "PyOD", "anomalib": "anomalib", "nnunet": "nnU-Net"}
    rows: dict[str, list[str]] = {}
    for name in tried:
        one = document.get(name)
        for label, cell in {
            "install": one and f"`{one['install']['command']}`",
            "processor time of it, size of the environment": one
            and f"{one['install']['processor_seconds']} s, {one['install']['MB']:,} MB",
            "the first result": one and f"`{one['first']['command']}`",
            "processor time of it": one and f"{one['first']['processor_seconds']} s",
            "last line on the screen": one and f"`{one['first']['screen'][-1].strip()}`",
            "files it leaves": one and (", ".join(one["first"]["files"]) or "none"),
        }.items():
            rows.setdefault(label, []).append(cell or "not tried here")
    versions = ", ".join(f"{tried[name]} {one['version']} ({one['date']})" for name, one in document.items())
    title = f"Measured: {versions}; {document['entropix']['machine']}; `python benchmarks/first_minutes.py`:"
    return "\n".join([title, "", *_table(["", *tried.values()], rows)])


TABLES = {
    "headline": headline,
    "real": auto_vs_fixed,
    "many": many_tasks,
    "copies": copies,
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
