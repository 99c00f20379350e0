"""What lies beside the images, in words: (name, reason) of each, told by reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

# Begins the reason of an image that another choice would read.
NOT_SELECTED = "not selected: "
# Begins the reason of a mask of which it is not known whose it is.
MASK_OF_NONE = "a mask, not used: "
MASK_BY_CONTENT = "a mask, by its content: few whole numbers beside many zeros"


def by_reason(entries: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names of each reason, the most frequent reason first."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, reason in entries:
        names[reason].append(name)
    return dict(sorted(names.items(), key=lambda item: -len(item[1])))


def in_short(entries: Iterable[tuple[str, str]], most: int = 5) -> list[str]:
    """Return a line for each reason: a.png: a mask, by its name; or 7 times a mask, by its name: a.png, b.png, ..."""
    lines = []
    for reason, names in by_reason(entries).items():
        if len(names) == 1:
            lines.append(f"{names[0]}: {reason}")
        else:
            more = f", and {len(names) - most:,} more" if len(names) > most else ""
            lines.append(f"{len(names):,} times {reason}: {', '.join(names[:most])}{more}")
    return lines


def to_choose_from(entries: Iterable[tuple[str, str]]) -> str:
    """Return what was there and not selected, with numbers."""
    there = by_reason((name, reason) for name, reason in entries if reason.startswith(NOT_SELECTED))
    return ", ".join(f"{reason.removeprefix(NOT_SELECTED)} ({len(names):,})" for reason, names in there.items())
