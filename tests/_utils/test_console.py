"""Watching a training."""

import io
import re

import pytest
from rich.console import Console

from entropix._utils import _console as console
from entropix._utils._console import Epoch, Progress


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 1.0, 16.0, 17.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    seen: list[Epoch] = []
    bar = Progress("training", 4, on_epoch=seen.append)
    monkeypatch.setattr(bar, "_bar", _Nothing())
    for done in (1, 2, 3):
        bar.epoch(done, 0.5 / done)
    assert capsys.readouterr().err == "training: epoch 2 of 4, loss 0.25, about 16 s left\n"
    assert seen == [Epoch(1, 4, 0.5, 1.0), Epoch(2, 4, 0.25, 16.0), Epoch(3, 4, 0.5 / 3, 17.0)]


def test_what_was_measured_last_stays_in_view(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "LINE_SECONDS", -1.0)
    seen: list[Epoch] = []
    bar = Progress("training", 3, on_epoch=seen.append)
    bar.epoch(1, 0.5)
    bar.epoch(2, 0.4, error_held_out=0.0123, entropy=7.04, entropy_images=29.8)
    bar.epoch(3, 0.3)
    lines = [line.partition(", about ")[0] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "training: epoch 1 of 3, loss 0.5",
        "training: epoch 2 of 3, loss 0.4, held-out error 0.0123, entropy 7.0 of 29.8 nats",
        "training: epoch 3 of 3, loss 0.3, held-out error 0.0123, entropy 7.0 of 29.8 nats",
    ]
    assert [at.entropy for at in seen] == [None, 7.04, None]


@pytest.mark.parametrize("width", [60, 120])
def test_a_terminal_shows_all_of_it(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=width)
    monkeypatch.setattr(console, "Console", lambda stderr: terminal)
    with Progress("training", 312) as bar:
        bar.epoch(126, -6.1534, error_held_out=0.0123, entropy=7.04, entropy_images=29.8)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())
    for part in ("126/312", "loss -6.153", "held-out error 0.0123, entropy 7.0 of 29.8 nats", "-:--:--"):
        assert part in text


def test_nothing_is_shown_unless_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "LINE_SECONDS", -1.0)
    with Progress("training", 2, enabled=False) as bar:
        bar.epoch(1, 0.5)
    assert capsys.readouterr().err == ""


class _Nothing:
    below = ""

    def update(self, *_: object, **__: object) -> None:
        """rich's bar reads the clock too."""
