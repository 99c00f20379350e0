"""The report: what it says, that it needs nothing else, and how a browser shows it."""

import copy
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import entropix
from entropix import plots, writers
from entropix.data import DataError, Select
from entropix.report import write_report

NASTY = "<img src=x onerror=alert(1)> & 'co.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data.json folder: 110 to train, 12 normal and 12 abnormal to test, one of them with a nasty name."""
    root = tmp_path_factory.mktemp("data")
    (root / "images").mkdir()
    normal = entropix.datasets.phantoms(122, 2, image_size=32).images
    sick = entropix.datasets.phantoms(12, 2, lesions=1, image_size=32, seed=1).images
    names = [f"{i:03}.png" for i in range(133)] + [NASTY]
    for name, image in zip(names, np.concatenate([normal, sick]), strict=True):
        Image.fromarray((image[0] * 255).astype(np.uint8)).save(root / "images" / name)
    Image.new("L", (32, 32), 255).save(root / "images" / NASTY)  # among the highest scores
    splits = {"train": {"0": names[:110]}, "test": {"0": names[110:122], "1": names[122:]}}
    (root / "data.json").write_text(json.dumps(splits))
    return root


@pytest.fixture(scope="module")
def detector(folder: Path) -> entropix.EntropixDetector:
    return entropix.fit(folder, image_size=32, epochs=3, progress=False)


@pytest.fixture(scope="module")
def page(detector: entropix.EntropixDetector, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(detector, tmp_path_factory.mktemp("report") / "report.html", model="<m>", data=folder)


def test_says_what_was_found(detector: entropix.EntropixDetector, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert f"Why d = {detector.latent_dim_}" in text
    assert f"{detector.entropy_.value:.1f} nats" in text  # type: ignore[union-attr]
    assert "110 normal images" in text
    assert text.count('aria-label="') >= 6 + 12
    for what in ("ROC", "Precision", "Histogram", "Training loss", "Highest scores", "Typical scores"):
        assert what in text
    command = text.partition("<pre>")[2].partition("</pre>")[0].replace("\\\n  ", "")
    options = "--latent-dim auto --strategy select --architecture convolutional --image-size 32 --epochs 3 --seed 0"
    assert command == f"entropix fit DATA --out MODEL {options} --alpha 0.05 --device cpu"


def test_needs_nothing_else_and_escapes_names(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#39;co.png" in text
    assert "entropix report: &lt;m&gt;" in text
    assert "<script" not in text
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
    for refused, message in (
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
    assert "<h2>Scores" not in bare
    text = write_report(detector, tmp_path / "few.html", data=colour[:3].astype(np.float32)).read_text()
    assert text.count("<img") == 6
    assert "--latent-dim 2 \\\n" in text
    assert "--epochs 1 \\\n" in text
    detector.settings_ |= {"select": asdict(Select(slices=(None, 9), series="T1 *")), "unreadable": [["a", "empty"]]}
    text = write_report(detector, tmp_path / "selected.html").read_text()
    assert "--select slices=:9 \\\n  --select &#39;series=T1 *&#39; \\\n  --skip-unreadable</pre>" in text
    assert "ROC" not in text


def test_stopped_divided_and_older_fits(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    other, texts = copy.copy(detector), []
    older = {name: value for name, value in detector.settings_.items() if name != "devices"}
    changes = ({}, {"devices": 4, "device": "cuda:0"}, {"stopped_after_epoch": 2})
    for i, more in enumerate(changes):
        other.settings_ = older | more
        texts.append(write_report(other, tmp_path / f"{i}.html").read_text(encoding="utf-8"))
    plain, divided, stopped = texts
    assert "--devices" not in plain
    assert "stopped" not in plain
    assert "--device cuda \\\n" in divided
    assert "--devices 4" in divided
    assert '<th class="name">devices</th><td class="name">4</td>' in divided
    assert "was stopped after epoch 2 of 3;" in stopped
    assert "the command trains to the end." in stopped


def test_legends_cover_nothing(detector: entropix.EntropixDetector) -> None:
    scores, labels = np.linspace(1, 9, 20, dtype=np.float32), np.arange(20) % 2
    for draw in (
        partial(plots.plot_curve, detector),
        partial(plots.plot_errors, detector),
        partial(plots.plot_scores, detector, scores=scores, labels=labels),
        partial(plots.plot_roc, scores={"surprisal": scores}, labels=labels),
        partial(plots.plot_precision_recall, scores={"surprisal": scores}, labels=labels),
    ):
        figure, axes = plots.new_figure(4.4, 3.1)
        draw(ax=axes[0][0])
        figure.canvas.draw()
        legend = axes[0][0].get_legend().get_window_extent()
        assert legend.y0 >= axes[0][0].get_window_extent().y1 - 1, draw
        assert legend.y1 <= figure.bbox.y1
        assert legend.x0 >= 0
        assert legend.x1 <= figure.bbox.x1


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no browser: {str(error).splitlines()[0]}")
        yield launched
        launched.close()


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1200, "light")])
def test_in_a_browser(browser: Any, page: Path, width: int, scheme: str) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests, errors = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(page.as_uri())
    assert errors == []
    assert [url for url in requests if not url.startswith("data:")] == [page.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    candidates = "document.querySelector('[aria-label=Candidates]')"
    assert tab.evaluate(f"{candidates}.scrollWidth <= {candidates}.clientWidth")
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth && i.alt)")
    named = "[...document.querySelectorAll('svg')].every(s => s.role == 'img' && s.ariaLabel && s.clientHeight > 50)"
    assert tab.evaluate(named)
    page_colour, ink = (
        tab.evaluate(f"getComputedStyle({element}).{name}").removeprefix("rgb(").rstrip(")").split(",")
        for element, name in (("document.body", "backgroundColor"), ("document.querySelector('svg text')", "fill"))
    )
    contrast = sum(map(int, ink)) - sum(map(int, page_colour))
    assert contrast > 400 if scheme == "dark" else contrast < -400
    tab.close()
