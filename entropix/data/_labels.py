"""Labels of images from a table of one's own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from entropix._utils import as_path, quoted, read_table
from entropix.data._imageset import ImageSet
from entropix.data._privacy import pseudonym, replaced_uid
from entropix.exceptions import DataError

LABELS = {"0": 0, "1": 1, "normal": 0, "abnormal": 1, "": -1}


def with_labels(images: ImageSet, table: str | Path) -> ImageSet:
    """Return the images with the labels of a CSV file; those that it does not name have none.

    Columns: `path` or `id`, and `label` (0 or normal, 1 or abnormal, nothing where unknown). A path is an image's name
    in the set, or that of its file, for all its slices. An id is a patient, volume, study, series or image (UIDs), as
    the files have it or as it was replaced; it labels all its images. Where both a path or UID of an image and one of
    more images label it, the one of fewer images counts.

    Raises:
        DataError: another table, another label, two labels for one entry, or an entry that no image has.
        OSError: the file cannot be read.
    """
    table = as_path(table, "labels")
    entries = _entries(table)
    named: dict[str, list[int]] = defaultdict(list)
    for i in range(len(images)):
        for name in _names_of(images, i):
            named[name].append(i)
    found = {entry: named.get(entry) or _replaced(named, entry) for entry in entries}
    if missing := [entry for entry, indices in found.items() if not indices]:
        raise DataError(
            f"{table}: {len(missing)} of {len(found)} entries are of no image that was read, such as "
            f"{quoted(missing[0])}; expected names such as {quoted(images.names[0])}, or patients, volumes or UIDs"
        )
    labels = np.full(len(images), -1, np.int64)
    for entry in sorted(entries, key=lambda entry: -len(found[entry])):  # what is said of one image comes last
        labels[found[entry]] = entries[entry]
    return replace(images, labels=labels)


def _replaced(named: dict[str, list[int]], entry: str) -> list[int]:
    """Return the indices of images in whose names something else stands for the entry."""
    return sorted({i for one in (pseudonym(entry), replaced_uid(entry)) for i in named.get(one, ())})


def _entries(table: Path) -> dict[str, int]:
    """Return the labels of the table by path or id."""
    rows = read_table(table, ("label",))
    key = next((name for name in ("path", "id") if name in rows[0]), None)
    if key is None:
        raise DataError(f"{table}: no column path or id beside label; its columns are {', '.join(rows[0])}")
    entries: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        entry, text = row[key].strip(), row["label"].strip().lower()
        if text not in LABELS:
            raise DataError(f"{table}, row {number}: label {quoted(row['label'])}; expected 0 or 1, normal or abnormal")
        if entries.setdefault(entry, LABELS[text]) != LABELS[text]:
            raise DataError(f"{table}, row {number}: {quoted(entry)} has two labels")
    return entries


def _names_of(images: ImageSet, i: int) -> set[str]:
    """Return everything by which an image may be named."""
    origin, name = images.origins[i], images.names[i]
    file = name if origin.frame is None else name.rpartition("#")[0]
    known = {name, file, images.groups[i], origin.volume, origin.study_uid, origin.series_uid, origin.sop_uid}
    return {one for one in (*known, origin.accession) if one}
