"""Versions and help are there at once, and say what there is."""

import json
import subprocess
import sys
import tempfile

from command_line import entropix_cli

from entropix.data.formats import DEFAULT_OBJECTS, FORMATS, in_words
from entropix.models import ARCHITECTURES, ImageAutoencoder
from entropix.strategies import STRATEGIES

HEAVY = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "pydicom", "nibabel", "rich")


def test_help_waits_for_no_library() -> None:
    """All in one process, as a process takes longer to start than these take."""
    code = f"""
import contextlib, io, json, sys
from entropix.cli import main
for words in (["--version"], ["--help"], *([name, "--help"] for name in ("fit", "score", "serve", "demo"))):
    sys.argv = ["entropix", *words]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main()
    assert out.getvalue(), words
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""
    call = [sys.executable, "-c", code]
    told = subprocess.run(call, cwd=tempfile.gettempdir(), check=True, capture_output=True, text=True).stdout
    assert json.loads(told) == []


def test_help_names_what_there_is() -> None:
    """The lists are written out in the help, so that it need not load what they are made of."""

    def help_of(command: str) -> str:
        return " ".join(entropix_cli(command, "--help").stdout.split())

    fit = help_of("fit")
    assert in_words([*(name for one in FORMATS for name in one.names), ".npy", ".npz"]) in fit
    assert f"How auto finds it: {', '.join(STRATEGIES)}." in fit
    of_images = [name for name, kind in ARCHITECTURES.items() if issubclass(kind, ImageAutoencoder)]
    assert f"Of the autoencoder of images: {', '.join(of_images)}." in fit
    for command in ("score", "serve"):
        assert f"[default: {', '.join(DEFAULT_OBJECTS)}]" in help_of(command)


def test_every_command_has_a_line_of_its_own() -> None:
    lines = entropix_cli("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert len(lines) == 13
    assert all(line.endswith(".") and "..." not in line for line in lines)
