"""Tables as spreadsheets save them are read, or refused in one line that says what is wrong."""

from pathlib import Path

import pytest

from entropix._utils import read_table, read_text
from entropix.data import DataError

TEXT = "path,label\r\na.png,0\r\nü.png,\r\n"
ROWS = [{"path": "a.png", "label": "0"}, {"path": "ü.png", "label": ""}]


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.replace(",", ";").encode("utf-8-sig"),
        TEXT.replace(",", "\t").encode("utf-16"),
        TEXT.replace("\r\n", "\r").encode(),
    ],
)
def test_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    assert read_table(tmp_path / "t.csv", ("path", "label")) == ROWS


def test_names_with_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('path,label\n"a\nb",0\nc\u2028d,1\n', encoding="utf-8")
    assert [row["path"] for row in read_table(tmp_path / "t.csv", ("path",))] == ["a\nb", "c\u2028d"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty; expected a table with the columns path, label"),
        (b"\n", "is empty"),
        (b"path,label\n", "has no rows below the names of its columns"),
        ((TEXT + "\xe9.png,\n").encode("latin-1"), "line 3: byte 0xfc is not UTF-8; save the file in UTF-8"),
        (b"path|label\na|0\n", r"no column path, label in its first line, 'path\|label'"),
        (b"x" * 10_000, r"no column path, label in its first line, 'x{60}\.\.\.'"),
        (b"path,label\na,0,9\n", "line 2: 2 cells expected"),
        (b"path,label\na\n", "line 2: 2 cells expected"),
        (b"path,label\n" + b"a" * 200_000 + b",0\n", "line [12]: field larger"),
    ],
)
def test_refused_in_one_line(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=told) as refused:
        read_table(tmp_path / "t.csv", ("path", "label"))
    assert len(str(refused.value)) < 300
    assert "\n" not in str(refused.value)


def test_text(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes('{"ü": 1}'.encode("utf-8-sig"))
    assert read_text(tmp_path / "t.json") == '{"ü": 1}'
