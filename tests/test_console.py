"""Watching a training."""

import pytest

from entropix import console
from entropix.console import Epoch, Progress


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


def test_nothing_is_shown_unless_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "LINE_SECONDS", -1.0)
    with Progress("training", 2, enabled=False) as bar:
        bar.epoch(1, 0.5)
    assert capsys.readouterr().err == ""


class _Nothing:
    def update(self, *_: object, **__: object) -> None:
        """rich's bar reads the clock too."""
