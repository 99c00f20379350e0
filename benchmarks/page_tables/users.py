"""What it takes to begin."""

from page_tables.layout import ROOT, results, table


def tutorials() -> str:
    """The tutorials, and how long a walk through each took."""
    document = results("tutorials")
    rows = {}
    for name, took in document.items():
        title = (ROOT / f"docs/tutorial-{name}.md").read_text(encoding="utf-8").partition("\n")[0]
        label = f"[{title.partition(': ')[2]}](tutorial-{name}.md)"
        rows[label] = [f"{took['processor_seconds']} s"]
    return "\n".join(["`python benchmarks/tutorials.py`:", "", *table(["tutorial", "processor time of a walk"], rows)])


def first_minutes() -> str:
    """What the first minutes cost with each library that was tried."""
    document = results("first_minutes")
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
    return "\n".join([title, "", *table(["", *tried.values()], rows)])
