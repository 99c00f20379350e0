"""The report: what it says, that it needs nothing else, and how a browser shows it."""

import base64
import copy
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from accessibility import findings, in_browser
from PIL import Image

import entropix
from entropix import plots, writers
from entropix.data import DataError, Select
from entropix.report import write_report
from entropix.report._detail import in_detail
from entropix.report._figures import outline
from entropix.report._pictures import NormalImages
from entropix.report._where import places
from entropix.scoring import DEFAULT_SCORE, Calibration, locate

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
    out = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(detector, out, model="<m>", data=folder, normal=folder)


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


def test_says_how_the_colours_lie_on_masks(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    """The numbers of `entropix score`, overall and by file; a mask that does not fit is named."""
    images = (entropix.datasets.phantoms(4, 2, image_size=32, seed=3).images[:, 0] * 200).astype(np.uint8)
    for i, image in enumerate(images):
        image[4:12, 10:18] = 255
        mask = np.zeros((32, 32) if i else (8, 8), np.uint8)
        mask[4:12, 10:18] = 1
        for name, values in ((f"{i}.png", image), (f"{i}_mask.png", mask)):
            (tmp_path / "set").mkdir(exist_ok=True)
            Image.fromarray(values).save(tmp_path / "set" / name)
    out = write_report(detector, tmp_path / "r.html", data=tmp_path / "set")
    text = " ".join(out.read_text(encoding="utf-8").replace("&nbsp;", " ").split())
    read = detector.read(tmp_path / "set")
    found = locate(read, detector.surprise_maps)
    assert "3 files had a mask beside" in text
    for name in ("ap", "best_dice", "aupro"):
        assert f"{found.overall[name]:.3f}" in text
        for row in found.rows:
            assert f"<td>{row[name]:.3f}</td>" in text
    assert "0.png: 0_mask.png has 8 x 8 pixels, the image 32 x 32" in text


def test_excluded_candidates_are_marked(detector: entropix.EntropixDetector, page: Path) -> None:
    rows = re.findall(r'<tr class="(\w+)"><td>(\d+)</td>', page.read_text(encoding="utf-8"))
    assert [int(d) for _, d in rows] == [point["latent_dim"] for point in detector.curve_]
    for state, d in rows:
        chosen = detector.latent_dim_
        assert state == ("chosen" if int(d) == chosen else "long" if int(d) > chosen else "short")


def test_heat_where_no_body_is() -> None:
    image, heat = np.zeros((1, 1, 32, 32), np.float32), np.zeros((1, 32, 32), np.float32)
    image[:, :, 8:, 8:24] = 0.5  # a body that reaches the lower edge
    image[:, :, 14:18, 14:18] = 0  # and has a hole, which is no background
    heat[:, 15, 15], heat[:, 2, 2], heat[:, 31, 16] = 1, 2, 1
    found = places(image, heat)
    assert found.outside.heat == 0.5
    assert found.outside.area == pytest.approx(1 - 24 * 16 / 1024)
    assert found.frame.heat == 0.25
    assert found.frame.area == pytest.approx(2 * 16 / 1024)
    assert found.frame.suspicious
    assert not found.outside.suspicious  # most of the area is


def test_outline_surrounds_what_is_above() -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[0:2, 5:8] = 2  # in a corner: closed at the edge
    path = outline(heat, 1.0, 40, 80)
    numbers = np.array(re.findall(r"[\d.]+", path), float).reshape(-1, 2)
    assert path.count("M") == path.count("Z") == 1
    assert numbers.min(0) == pytest.approx([50, 0], abs=1e-6)
    assert numbers.max(0) == pytest.approx([80, 10], abs=1e-6)
    assert outline(heat, 3.0, 40, 80) == ""


def test_pictures_have_the_aspect_and_the_detail_of_their_files(
    detector: entropix.EntropixDetector, tmp_path: Path
) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8).repeat(2), (300, 50))  # finer than the model sees
    Image.fromarray(stripes).save(tmp_path / "wide.png")
    Image.fromarray(np.arange(100, dtype=np.uint8)[:, None].repeat(40, 1)).save(tmp_path / "tall.png")
    images = detector.read(tmp_path)
    found = dict(zip(images.names, in_detail(detector, tmp_path, images, np.arange(2), 384), strict=True))
    assert found["tall.png"].shape == (1, 100, 40)
    assert found["wide.png"].shape == (1, 300, 200)
    assert found["wide.png"].std() > 0.3 > 3 * images.pixels[images.names.index("wide.png")].std()
    arrays = stripes[None, :, :60]
    of_array = in_detail(detector, arrays, detector.read(arrays), np.arange(1), 150)
    assert of_array[0].shape == (1, 150, 30)
    as_read = in_detail(detector, images, images, np.arange(2), 384)  # nothing finer is there
    assert {one.shape for one in as_read} == {(1, 100, 40), (1, 300, 200)}


def test_nearest_normal_images(detector: entropix.EntropixDetector, folder: Path) -> None:
    normal = NormalImages(detector, folder)
    queries = normal.images.subset([3, 50])
    known = detector.reconstruct(normal.images).reshape(110, -1)
    for i, row in zip((3, 50), normal.nearest(queries), strict=True):
        distances = ((known - known[i]) ** 2).sum(1)
        chosen = [normal.images.names.index(one.name) for one in row]
        assert len(set(chosen)) == 3
        assert i not in chosen  # the image itself
        assert distances[chosen] == pytest.approx(np.sort(distances)[1:4], rel=1e-3)


def test_normal_images_are_read_as_for_the_fit(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    pixels = (entropix.datasets.phantoms(4, 2, image_size=32).images[:, 0] * 255).astype(np.uint8)
    for name, image in zip("abcd", pixels, strict=True):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    (tmp_path / "e.png").write_bytes(b"none")
    other = copy.copy(detector)
    other.settings_ = detector.settings_ | {"exclude": ["b.png"], "unreadable": [["e.png", "no PNG"]]}
    assert NormalImages(other, tmp_path).images.names == ["a.png", "c.png", "d.png"]
    assert NormalImages(other, tmp_path / "b.png").images.names == ["b.png"]


def test_pictures_are_of_the_split(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    train = (entropix.datasets.phantoms(5, 2, image_size=32).images[:, 0] * 255).astype(np.uint8)
    names = {"images": train, "labels": np.zeros((5, 1), np.int64)}
    arrays = {f"train_{name}": one for name, one in names.items()}
    arrays |= {f"test_{name}": np.zeros_like(one[:1]) for name, one in names.items()}  # one black image
    np.savez(tmp_path / "d.npz", **arrays)  # type: ignore[arg-type]
    text = write_report(detector, tmp_path / "r.html", data=tmp_path / "d.npz", split="train").read_text()
    assert text.count("<article") == 3


@pytest.fixture(scope="module")
def two_volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two volumes of twelve slices, 24 x 32 pixels; the second has a large lesion in the eighth, and a mask of it."""
    root = tmp_path_factory.mktemp("volumes")
    slices = entropix.datasets.phantoms(24, 2, image_size=32, seed=3).images[:, 0, :, 4:28].reshape(2, 12, 32, 24)
    mask = np.zeros((12, 32, 24), np.float32)
    mask[7, 8:20, 6:18] = 1
    slices[1][mask > 0] = 1
    for name, volume in (("a", slices[0]), ("b", slices[1]), ("b_seg", mask)):
        nibabel.save(nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.eye(4)), root / f"{name}.nii.gz")
    return root


@pytest.fixture(scope="module")
def page_of_volumes(
    detector: entropix.EntropixDetector, two_volumes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """By a model that knows the scores of normal volumes, all lower than any score."""
    other = copy.copy(detector)
    lowest = Calibration({DEFAULT_SCORE: torch.full((3,), -1e9)})
    other.calibration_ = replace(detector.calibration_, volumes=lowest)
    return write_report(other, tmp_path_factory.mktemp("volumes") / "volumes.html", data=two_volumes)


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


def test_tables_can_be_sorted(tmp_path: Path) -> None:
    """By numbers as numbers, names as text in which numbers count, in both directions."""
    rows = [("10.5", "a10"), ("9", "a2"), ("-3", "1.10"), ("", "1.2"), ("-20", "B")]
    body = "".join(f"<tr><td>{number}</td><td class=name>{name}</td></tr>" for number, name in rows)
    head = "<thead><tr><th>score</th><th class=name>image</th></tr></thead>"
    script = (files("entropix.report") / "page.js").read_text(encoding="utf-8")
    page = tmp_path / "p.html"
    page.write_text(f"<head></head><table>{head}<tbody>{body}</tbody></table><script>{script}</script>")
    click = """
      const cells = i => [...document.querySelectorAll("tbody tr")].map(row => row.cells[i].textContent);
      const orders = [];
      for (const i of [0, 0, 1, 1]) {
        document.querySelectorAll("th button")[i].click();
        orders.push([cells(i), [...document.querySelectorAll("th")].map(one => one.ariaSort)]);
      }
      return orders;
    """
    numbers, names = ["", "-20", "-3", "9", "10.5"], ["1.2", "1.10", "a2", "a10", "B"]
    assert in_browser(page, click, tmp_path) == [
        [numbers, ["ascending", None]],
        [numbers[::-1], ["descending", None]],
        [names, [None, "ascending"]],
        [names[::-1], [None, "descending"]],
    ]


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


def test_everybody_can_read_it(page: Path, page_of_volumes: Path, tmp_path: Path) -> None:
    """With labels and neighbours, and with volumes and masks; light and dark, wide and narrow."""
    uri = re.search(
        'src="data:image/png;base64,([^"]*)"[^>]*alt="What the model makes', page_of_volumes.read_text("utf-8")
    )
    assert uri
    assert Image.open(io.BytesIO(base64.b64decode(uri[1]))).size == (24, 32)  # a browser takes the file's proportions
    assert findings(page, "light", tmp_path, 1280) == []
    assert findings(page_of_volumes, "dark", tmp_path, 500) == []


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
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    candidates = "document.querySelector('[aria-label=Candidates]')"
    assert tab.evaluate(f"{candidates}.scrollWidth <= {candidates}.clientWidth")
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth && (i.alt || i.closest('.bar')))")
    named = "[...document.querySelectorAll('svg')].every(s => s.role == 'img' && s.ariaLabel && s.clientHeight > 50)"
    assert tab.evaluate(named)
    page_colour, ink = (
        tab.evaluate(f"getComputedStyle({element}).{name}").removeprefix("rgb(").rstrip(")").split(",")
        for element, name in (("document.body", "backgroundColor"), ("document.querySelector('svg text')", "fill"))
    )
    contrast = sum(map(int, ink)) - sum(map(int, page_colour))
    assert contrast > 400 if scheme == "dark" else contrast < -400
    heat, outlined = (f"getComputedStyle(document.querySelector('.{part}')).opacity" for part in ("heat", "outline"))
    tab.add_style_tag(content="* { transition: none !important; }")
    tab.check("#heat-none")
    assert tab.evaluate(heat) == tab.evaluate(outlined) == "0"
    tab.check("#heat-half")
    assert 0 < float(tab.evaluate(heat)) < 1
    tab.close()
