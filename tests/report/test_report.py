"""The report: what it says, and that it needs nothing else."""

import copy
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import entropix
from entropix import writers
from entropix.data import DataError, Select
from entropix.report import write_report


def test_says_what_was_found(detector: entropix.EntropixDetector, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert f"Why d = {detector.latent_dim_}" in text
    assert f"{detector.entropy_.value:.1f} nats" in text  # type: ignore[union-attr]
    assert "110 normal images" in text
    for what in ("ROC", "Precision", "Histogram", "Training loss", "Highest scores", "Typical scores", "research only"):
        assert what in text
    command = text.partition('<pre tabindex="0">')[2].partition("</pre>")[0].replace("\\\n  ", "")
    options = "--latent-dim auto --strategy select --architecture convolutional --image-size 32 --epochs 3 --seed 0"
    assert command == f"entropix fit DATA --out MODEL {options} --alpha 0.05 --device cpu"


def test_opens_with_the_verdict(detector: entropix.EntropixDetector, folder: Path, page: Path) -> None:
    text = " ".join(page.read_text(encoding="utf-8").replace("&nbsp;", " ").split())
    images = detector.read(folder)
    flagged = detector.predict(images) < 0
    verdict = text.partition('class="verdict">')[2].partition("</p>")[0]
    assert f"<strong>{flagged.sum()} of 24 images stand out</strong>" in verdict
    assert "about 1.2 would stand out by chance" in verdict
    normal, abnormal = (int(flagged[images.labels == label].sum()) for label in (0, 1))
    assert f"By the labels, {normal} of 12 normal and {abnormal} of 12 abnormal images stand out" in text
    assert f"<title>Anomaly report: {folder.name}</title>" in text
    assert text.index("What stands out") < text.index("Why d =") < text.index("The fit")
    shown = min(9, int(flagged.sum()))
    assert text.count("<article") == shown + 3
    assert text.count("normal 3</figcaption>") == shown + 3  # three normal images beside each
    assert "of the 110 given" in text


def test_excluded_candidates_are_marked(detector: entropix.EntropixDetector, page: Path) -> None:
    rows = re.findall(r'<tr class="(\w+)"><td>(\d+)</td>', page.read_text(encoding="utf-8"))
    assert [int(d) for _, d in rows] == [point["latent_dim"] for point in detector.curve_]
    for state, d in rows:
        chosen = detector.latent_dim_
        assert state == ("chosen" if int(d) == chosen else "long" if int(d) > chosen else "short")


def test_needs_nothing_else_and_escapes_names(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#39;co.png" in text
    assert "<code>&lt;m&gt;</code>" in text
    assert re.findall("<script.*", text) == ["<script>"]  # which sorts tables
    links = re.findall(r'(?:src|href)="([^"]{0,12})', text)
    assert links
    assert all(link.startswith(("data:image/", "#")) for link in links), set(links)
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert [name for name in re.findall(r"url\(#([^)]+)\)", text) if identifiers.count(name) != 1] == []


def test_from_scores_without_pictures(detector: entropix.EntropixDetector, folder: Path, tmp_path: Path) -> None:
    images = detector.read(folder)
    writers.write_scores(tmp_path / "s.csv", images, writers.score(detector, images))
    out = write_report(detector, tmp_path / "r.html", scores=tmp_path / "s.csv")
    text = out.read_text(encoding="utf-8")
    assert "ROC" in text
    assert "<img" not in text
    assert "Highest scores" in text
    assert "Anomaly report: s.csv" in text
    for refused, message in (
        ({"normal": folder, "overwrite": True}, "normal images are shown beside those of data"),
        ({"scores": tmp_path / "s.csv"}, "exists"),
        ({"scores": tmp_path / "s.csv", "data": folder, "overwrite": True}, "give one"),
        ({"scores": out, "overwrite": True}, "is not what `entropix score` writes"),
        ({"scores": tmp_path / "none.csv", "overwrite": True}, "none.csv"),
    ):
        with pytest.raises((OSError, ValueError, DataError), match=message):
            write_report(detector, out, **refused)  # type: ignore[arg-type]
    assert out.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a.png,,nan,0.5,0.1", "row 1: surprisal 'nan', expected a number"),
        ("a.png,,0;5,0.5,0.1", "row 1: surprisal '0;5', expected a number"),
        ("a.png,7,0.5,0.5,0.1", "row 1: label '7', expected 0, 1 or nothing"),
        ("", "has no rows"),
    ],
)
def test_scores_that_are_none(row: str, told: str, detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(f"path,label,surprisal,p_value,residual\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match=told):
        write_report(detector, tmp_path / "r.html", scores=tmp_path / "s.csv")


def test_without_a_curve_labels_or_data(tmp_path: Path) -> None:
    colour = np.repeat(entropix.datasets.phantoms(100, 2, image_size=32).images, 3, axis=1) * [[[0.5]], [[1]], [[0.2]]]
    detector = entropix.fit(colour.astype(np.float32), latent_dim=2, image_size=32, epochs=1, progress=False)
    bare = write_report(detector, tmp_path / "bare.html").read_text(encoding="utf-8")
    assert "It was given, not chosen" in bare
    assert "No other images were looked at" in bare
    assert "How far the numbers go" not in bare
    text = write_report(detector, tmp_path / "few.html", data=colour[:3].astype(np.float32)).read_text()
    assert text.count("<image") == 2 * 3  # in colour, each below its heat
    assert "--latent-dim 2 \\\n" in text
    assert "--epochs 1 \\\n" in text
    detector.settings_ |= {"select": asdict(Select(slices=(None, 9), series="T1 *")), "unreadable": [["a", "empty"]]}
    text = write_report(detector, tmp_path / "selected.html").read_text()
    assert "--select slices=:9 \\\n  --select &#39;series=T1 *&#39; \\\n  --skip-unreadable</pre>" in text
    assert "ROC" not in text


def test_stopped_divided_and_older_fits(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    other, texts = copy.copy(detector), []
    older = {name: value for name, value in detector.settings_.items() if name not in ("devices", "enough_epochs")}
    changes = ({}, {"devices": 4, "device": "cuda:0", "stopped_after_epoch": 2}, {"enough_epochs": 70})
    for i, more in enumerate(changes):
        other.settings_ = older | more
        texts.append(write_report(other, tmp_path / f"{i}.html").read_text(encoding="utf-8"))
    plain, stopped, short = texts
    assert "--devices" not in plain
    assert "stopped" not in plain
    assert "--device cuda \\\n" in stopped
    assert "--devices 4" in stopped
    assert '<th class="name" scope="row">devices</th><td class="name">4</td>' in stopped
    assert "stopped after epoch\n2 of 3;" in stopped
    assert "the command trains to the end." in stopped
    assert "near to its limit" in plain
    assert "too short" not in plain
    assert "<code>--epochs 70</code>" in short.partition("</header>")[0]
    assert "After so short a training it says nothing about d." in short
    assert "near to its limit" not in short
