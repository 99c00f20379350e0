"""The pictures of the report: what they show, and of which images."""

import copy
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import entropix
from entropix import plots
from entropix.report import write_report
from entropix.report._detail import in_detail
from entropix.report._figures import outline
from entropix.report._pictures import NormalImages
from entropix.report._where import places
from entropix.scoring import locate


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
