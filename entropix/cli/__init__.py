"""The command line. Results go to standard output, with `--json` as one JSON document; all else to standard error.

`application` holds the application, its entry point and the options that commands share; the other modules one group of
commands each.
"""

from entropix.cli import data, detecting, estimating, reporting, showing  # their commands, in the order of the help
from entropix.cli.application import app, main

__all__ = ["app", "data", "detecting", "estimating", "main", "reporting", "showing"]
