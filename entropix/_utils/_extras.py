"""How messages say that an optional library is missing."""


def install_hint(extra: str) -> str:
    """What to run for the libraries of `extra`, one of the extras in pyproject.toml: the end of a message."""
    return f"run `pip install -c constraints.txt '.[{extra}]'` in a clone of entropix"
