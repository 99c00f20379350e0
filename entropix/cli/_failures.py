"""How a command ends that failed: one line where the user can do something about it, a traceback where we have to."""

from __future__ import annotations

import dis
import traceback

import typer

from entropix.exceptions import EntropixError

# A full disk, a missing file or library, a training that diverges.
OF_THE_CIRCUMSTANCES = (OSError, ImportError, FloatingPointError)
LESS_MEMORY = (
    "too little memory; give it fewer images or samples at once, a smaller --image-size where the command takes one, "
    "or, where it is a GPU's, --device cpu"
)
ADVICE = (
    "This is a fault of entropix, not yours. Please report it where you have entropix from, with the lines above, the\n"
    "command, and what `entropix info` prints."
)


def tell(error: Exception) -> None:
    """Write to standard error what became of the command."""
    if not for_users(error):
        traceback.print_exception(error)
        typer.secho(ADVICE, fg="red", err=True)
        return
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error) or type(error).__name__
    if _of_memory(error):
        text = f"{LESS_MEMORY} ({' '.join(text.split())})"
    typer.echo(f"{typer.style('error:', fg='red')} {text}", err=True)


def for_users(error: Exception) -> bool:
    """Return whether an error tells its user what to do; another one is a fault of the program."""
    known = isinstance(error, (EntropixError, *OF_THE_CIRCUMSTANCES)) or _of_memory(error)
    return known or _raised_by_entropix(error)


def _of_memory(error: Exception) -> bool:
    if not isinstance(error, (MemoryError, RuntimeError)):
        return False
    from entropix._utils import out_of_memory  # imports torch, which has been there since before its memory was full

    return out_of_memory(error)


def _raised_by_entropix(error: Exception) -> bool:
    """Return whether entropix itself says `raise` where the error comes from: then it has words for it.

    Arguments out of range are plain ValueError and TypeError, as users of Python expect, and so are faults such as
    `None + 1`; the statement tells them apart.
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not last.tb_frame.f_globals.get("__name__", "").startswith("entropix."):
        return False
    return dis.opname[last.tb_frame.f_code.co_code[last.tb_lasti]] == "RAISE_VARARGS"
