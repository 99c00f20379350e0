"""The command line. Results go to standard output, with `--json` as one JSON document; all else to standard error.

`_application` holds the application, its entry point and the options that commands share; the other modules hold one
group of commands each.
"""

# ruff: noqa: F401 (their commands are in the order of the help)
from entropix.cli import _data, _fit, _score, _calibrate, _sweep, _estimating, _reporting, _serve, _showing  # isort: skip
from entropix.cli._application import app, main

__all__ = ["app", "main"]
