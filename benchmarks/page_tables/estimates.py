"""The estimators: errors beside other libraries, and coverage of the intervals."""

from statistics import mode

from page_tables.layout import results, table

KINDS = {
    "information": "mutual information, twenty tasks, n = 1,000 and 5,000",
    "divergence": "divergence, twelve pairs, n = 500 and 2,000",
    "entropy": "entropy, 16 families, d = 1, 4, 16, n = 500 and 2,000",
    "groups": "rows in groups",
}


def entropies() -> str:
    """Error of the entropy estimates on families of known entropy."""
    document = results("estimators")
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


def coverage() -> str:
    """How often intervals hold the truth, by kind of estimate, and every cell that is wrong without saying so."""
    document = results("intervals")
    cells, rows = document["cells"], {}
    for kind, name in KINDS.items():
        some = [cell for key, cell in cells.items() if key.startswith(f"{kind}/")]
        held = [cell["coverage"] >= 0.88 for cell in some]
        wrong = [cell["silently_wrong"] for cell in some]
        told = len(some) - sum(held) - sum(wrong)
        median = sorted(cell["coverage"] for cell in some)[len(some) // 2]
        rows[name] = [str(len(some)), f"{median:.2f}", str(sum(held)), str(told), str(sum(wrong))]
    head = ["estimate", "cells", "median coverage", "at least 88 %", "less, but warned of", "**less without a word**"]
    draws = [cell["draws"] for cell in cells.values()]
    others = f" ({min(draws)} where most warn, {max(draws)} near the limit)" if min(draws) < max(draws) else ""
    title = f"Coverage of the 95 % interval, {mode(draws)} draws of a cell{others}; "
    title += f"`{document['environment']['command']}`:"
    worst = [
        f"- {key.replace('/', ', ')}: {cell['coverage']:.2f} held, {cell['warned']:.2f} warned, mean error "
        f"{cell['bias']:+.3f}, standard error {cell['stderr']:.3f}"
        for key, cell in cells.items()
        if cell["silently_wrong"]
    ]
    return "\n".join([title, "", *table(head, rows), "", "Less without a word:", "", *worst])
