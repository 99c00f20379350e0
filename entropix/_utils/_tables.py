"""CSV files as spreadsheets save them, read, or refused in one line that says what is wrong."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection
from pathlib import Path

from entropix.exceptions import DataError

SEPARATORS = (",", ";", "\t")
LONGEST = 60  # characters of a table that a message quotes


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8 or, with a byte-order mark, UTF-16; the mark is left out.

    Raises:
        DataError: another encoding.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file in UTF-8"
        ) from None


def read_table(path: Path, wanted: Collection[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column; commas, semicolons or tabs separate its cells.

    Args:
        path: the file; its first line names the columns.
        wanted: columns that it must have.

    Raises:
        DataError: another encoding, no rows, other columns, or a row of another length.
        OSError: the file cannot be read.
    """
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{path} is empty; expected a table with the columns {', '.join(wanted)}")
    first = text.splitlines()[0]
    columns = {separator: next(csv.reader([first], delimiter=separator), []) for separator in SEPARATORS}
    separator = next((one for one, names in columns.items() if set(wanted) <= set(names)), None)
    if separator is None:
        missing = [name for name in wanted if all(name not in names for names in columns.values())]
        raise DataError(f"{path}: no column {', '.join(missing)} in its first line, {quoted(first)}")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)  # a cell may hold a line break
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise DataError(f"{path}, line {reader.line_num}: {len(columns[separator])} cells expected")
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    if not rows:
        raise DataError(f"{path} has no rows below the names of its columns")
    return rows


def quoted(text: str) -> str:
    """Return the start of a text for a message."""
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")
