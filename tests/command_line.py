"""The command line in this process."""

import contextlib
import io
import sys
import warnings
from dataclasses import dataclass
from unittest import mock

from entropix.cli import main


@dataclass(frozen=True)
class Result:
    stdout: str
    stderr: str


def entropix_cli(*arguments: object, code: int = 0) -> Result:
    """Run the command in this process and check its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["entropix", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        try:
            main()
            returned: object = 0
        except SystemExit as stop:
            returned = stop.code or 0
    assert returned == code, err.getvalue()
    return Result(out.getvalue(), err.getvalue())
