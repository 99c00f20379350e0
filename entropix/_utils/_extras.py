"""How messages say that an optional library is missing."""


def install_hint(extra: str) -> str:
    """Return the end of a message: the command that installs `extra`, one of the extras in pyproject.toml."""
    return f"run `pip install -c constraints.txt '.[{extra}]'` in a clone of entropix"
