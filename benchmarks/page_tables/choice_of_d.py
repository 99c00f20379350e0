"""The choice of d, and how long to train."""

from page_tables.layout import results, table, trainings

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
    document = results("auto_vs_fixed")
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
    return "\n".join([trainings(title, document), "", *table(head, rows)])


def headline() -> str:
    """The README's one number, with the command that makes it."""
    document = results("auto_vs_fixed")
    ours, sweep = document["summary"]["select"]["auc_surprisal"], document["summary"]["oracle"]["auc_residual"]
    seeds = "one seed" if len(document["seeds"]) == 1 else f"{len(document['seeds'])} seeds"
    return (
        f"Without a label: mean AUC {ours:.3f} over {len(document['sets'])} sets. The paper's sweep, with the d that "
        f"labels say is best for each set: {sweep:.3f} ({seeds}; `python benchmarks/auto_vs_fixed.py`, "
        "[table](docs/method.md))."
    )


def images_shown() -> str:
    """Held-out error and visibility of trainings of growing length."""
    document = results("images_shown")
    d, rows = document["latent_dim"], {}
    for one in document["trainings"]:
        (point,) = (point for point in one["points"] if point["latent_dim"] == d)
        cell = f"{point['error_held_out']:.4f} / {point['visibility']:.3f}"
        rows.setdefault(one["data"], {})[one["shown"]] = cell
    counts = sorted({shown for cells in rows.values() for shown in cells})
    head = ["set", *(f"{shown:,} images shown" for shown in counts)]
    title = f"Held-out error / visibility of foreign content at d = {d}, one seed; `{document['command']}`:"
    return "\n".join(
        [title, "", *table(head, {name: [cells[shown] for shown in counts] for name, cells in rows.items()})]
    )
