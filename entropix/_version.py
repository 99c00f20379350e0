"""The version, in one place: the package, what it writes and the distribution take it from here."""

__version__ = "0.1.0"
