"""Which files of a source are read: by globs, and by what BIDS names say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from entropix.data._bids import SUFFIX, entities
from entropix.data._files import FileItem
from entropix.data._names import case_and_contrast
from entropix.data._passed_over import NOT_SELECTED, to_choose_from
from entropix.data._select import Select

MOST_NAMED = 10

Globs = str | Sequence[str] | None


def as_globs(value: Any, name: str) -> tuple[str, ...]:
    """Return globs from one, several or None.

    Raises:
        TypeError: something else.
    """
    globs = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else value
    if globs is None:
        return ()
    if not isinstance(globs, tuple) or not all(isinstance(one, str) and one for one in globs):
        raise TypeError(f"{name}={value!r}; expected a glob such as '*_T1w.nii.gz', several in a list, or None")
    return globs


@dataclass(frozen=True)
class Choice:
    """The files to read.

    Attributes:
        include: globs, of which a file has to match one if there are any.
        exclude: globs of which it must match none.
        select: of which the BIDS entities have to be those of its name.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    select: Select = field(default_factory=Select)

    def excludes(self, name: str) -> str:
        """Return why globs leave a file out, or ""."""
        if any(_matches(name, glob) for glob in self.exclude):
            return "left out by exclude"
        if self.include and not any(_matches(name, glob) for glob in self.include):
            return "left out by include"
        return ""

    def reason_against(self, item: FileItem) -> str:
        """Return why a file is not to be read; "" if it is."""
        if reason := self.excludes(item.name):
            return reason
        contrast = case_and_contrast(item.path.as_posix())[1]
        found = entities(item.name) | ({SUFFIX: contrast} if contrast else {})
        if self.select.wants_entities(found):
            return ""
        told = ", ".join(f"{key}={found[key]}" for key in self.select.bids if key in found)
        return NOT_SELECTED + (told or f"no {' or '.join(self.select.bids)} in the name")

    def several_contrasts(self, items: Sequence[FileItem]) -> str:
        """Return why files of several contrasts (`case_and_contrast`) are not for one model, unless chosen; or "".

        Most files say one: among x_t1.nii, x_t2.nii, x_t3.nii, x_t4.nii they are points in time.
        """
        contrasts = [case_and_contrast(item.path.as_posix())[1] for item in items]
        counts = Counter(filter(None, contrasts)).most_common()
        if len(counts) < 2 or 2 * contrasts.count("") >= len(contrasts):
            return ""
        if SUFFIX in self.select.bids or self.select.series is not None:
            return ""
        told = ", ".join(f"{contrast} ({count:,} files)" for contrast, count in counts)
        first = counts[0][0]
        return (
            f"images of several contrasts, by their names: {told}. Choose one with "
            f"select=Select(bids={{'suffix': '{first}'}}) (--select suffix={first}), * for all"
        )


def nothing_chosen(source: str, choice: Choice, passed_over: Sequence[tuple[str, str]]) -> str:
    """Return that no image is left of those that are there, and what there is to choose from."""
    asked = [f"--select {text}" for text in choice.select.texts()]
    asked += [f"--include {glob}" for glob in choice.include] + [f"--exclude {glob}" for glob in choice.exclude]
    there = to_choose_from(passed_over)
    if not there:
        names = [name for name, _ in passed_over]
        there = ", ".join(names[:MOST_NAMED]) + (f", and {len(names) - MOST_NAMED:,} more" * (len(names) > MOST_NAMED))
    return f"{source}: nothing matches {' '.join(asked)}; there is: {there}"


def _matches(name: str, glob: str) -> bool:
    """Return whether a glob is that of a file's name in the set, of the name without folders, or of a folder above."""
    path = PurePosixPath(name)
    glob = glob.rstrip("/")
    return any(fnmatchcase(str(one), glob) for one in (path, path.name, *path.parents))
