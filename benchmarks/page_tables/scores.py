"""The default score: detection, false positives, copies, other scanners."""

from typing import Any

from page_tables.layout import mean, named, results, table


def many_tasks() -> str:
    """The default fit on sets of all kinds beside other scores and detectors: AUC, localisation, false positives."""
    document = results("many_tasks")
    summary = document["summary"]
    columns, rows, others = list(summary["columns"]), {}, {}
    for one in document["sets"]:
        runs = one["runs"]
        cells = [f"{mean([run['auc'][column] for run in runs]):.3f}" for column in columns]
        place = [mean([run[key] for run in runs]) for key in ("pixel_ap", "pixel_ap_squared_error")]
        false = mean([run["false_positive_rate"] for run in runs])
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
    return "\n".join([title, "", *table(head, rows), "", note])


def copies() -> str:
    """Near copies of a fit's images among test images, and AUCs with and without them."""
    document = results("copies")
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
    return "\n".join([title, "", *table(head, rows)])


def score_parts() -> str:
    """What the default score is without one of its parts."""
    document = results("score_parts")
    summary, rows = document["summary"], {}
    for variant, found in summary.items():
        rows[variant] = []
        for measure in ("auc", "pixel_ap"):
            if measure not in found:
                continue
            least, largest = (100 * found[f"{measure}_{which}_change"] for which in ("least", "largest"))
            change = "" if least == largest == 0 else f" ({least:+.1f} to {largest:+.1f})"
            rows[variant].append(f"{found[measure]:.3f}{change}")
    sets = dict.fromkeys(run["data"] for run in document["runs"])
    seeds = sorted({run["seed"] for run in document["runs"]})
    title = (
        f"Means over {len(sets)} sets, {named(seeds)}, and how many points a set loses or gains against all parts at "
    )
    title += f"most, {document['device']}; `{document['command']}`:"
    return "\n".join([title, "", *table(["score", "AUC", "lesions: pixel AP"], rows)])


def redraws() -> str:
    """False positives where normal images of the fit and of the test are drawn from one pool."""
    document = results("redraws")
    rows = {}
    for one in document["sets"]:
        runs = one["runs"]
        inside = sum(run["interval"][0] <= run["rate"] <= run["interval"][1] for run in runs)
        low, high = min(run["interval"][0] for run in runs), max(run["interval"][1] for run in runs)
        rows[one["data"]] = [
            f"{one['mean']:.3f}",
            f"{mean([run['expected'] for run in runs]):.3f}",
            f"{inside} of {len(runs)} within {low:.3f} to {high:.3f}",
        ]
    head = ["set", "false positives, mean", "expected", "95 % of draws"]
    title = f"p-values up to {document['alpha']:g} among normal images that the fit has not seen; "
    return "\n".join([f"{title}`{document['command']}`:", "", *table(head, rows)])


def new_site() -> str:
    """What p-values promise on another scanner, before and after a recalibration with 200 images."""
    document = results("new_site")
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
    return "\n".join([title, "", *table(["scanner", *ways.values()], rows), "", note])


def _power(rows: list[dict[str, Any]], n: int) -> str:
    """How well foreign content is told after a recalibration with n images, and with new thresholds alone."""
    pairs = [(row["levels"]["power"], row["thresholds"]["power"]) for row in rows if row["n"] == n]
    levels, thresholds = (mean(list(values)) for values in zip(*pairs, strict=True))
    higher = sum(a > b for a, b in pairs)
    return f"{n} images {levels:.3f} and {thresholds:.3f}, higher in {higher} of {len(pairs)}"
