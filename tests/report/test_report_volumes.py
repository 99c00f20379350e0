"""Volumes in the report."""

import copy
import re
from dataclasses import replace
from pathlib import Path

import entropix
from entropix.report import write_report


def test_volumes(page_of_volumes: Path) -> None:
    text = page_of_volumes.read_text(encoding="utf-8")
    assert len(re.findall(r"<p>[-\d.]+ nats, p = 0\.250; \d+ of 12 slices", text)) == 2
    strips = text.partition('<h2 id="volumes">')[2].partition("<h2>")[0]
    assert re.findall("<h3>(.*)</h3>", strips) == ["b.nii.gz", "a.nii.gz"]
    assert strips.count("<svg") == 2 * 8
    assert " ".join(strips.split()).count("of 12 slices stand out, slice 8 the most: <span") >= 1
    assert strips.count('class="highest"') == 2


def test_one_volume_does_not_fill_the_page(
    detector: entropix.EntropixDetector, two_volumes: Path, tmp_path: Path
) -> None:
    other = copy.copy(detector)
    other.offset_ = 1e9  # every slice stands out
    slices = replace(detector.read(two_volumes), names=[f"{i:02}.dcm" for i in range(24)])  # each in a file of its own
    text = write_report(other, tmp_path / "r.html", data=slices).read_text(encoding="utf-8")
    assert "p = 0.250; " not in text  # this model knows no volumes
    assert 'slice\n8 the most: <span class="name">19.dcm</span>' in text
    first, _, rest = text.partition("<h2>What stands out</h2>")[2].partition('<h2 id="volumes">')
    shown = [int(i) for i in re.findall(r"<h3>(\d\d)\.dcm", first)]
    assert len(shown) == 4
    assert shown[0] == 19
    assert sum(i < 12 for i in shown) == 2
    assert "4 of the 24, the highest first and at most\n2 of one patient or volume" in first
    rows = text.partition('<h2 id="numbers">')[2].partition("</tbody>")[0]
    assert len(set(re.findall(r'<td class="name">(.*)</td>', rows))) == 24  # where the others are
    typical = re.findall(r"<h3>(\d\d)\.dcm", rest.partition("<h2>Typical")[2])
    assert len(set(map(int, typical)) - set(shown)) == 3
