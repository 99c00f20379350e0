"""A detector in a notebook: its summary, its curve as a table, its figures."""

import re
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console
from sklearn import config_context

import entropix
from entropix._utils import Progress
from entropix._utils import _console as console

IMAGES = entropix.datasets.phantoms(100, 2, image_size=16).images
TEST = entropix.datasets.phantoms(9, 2, image_size=16, lesions=1, seed=1)


@pytest.fixture(scope="module")
def detector() -> entropix.EntropixDetector:
    return entropix.fit(IMAGES, image_size=16, epochs=2, progress=False)


@pytest.fixture(scope="module")
def given() -> entropix.EntropixDetector:
    """Of vectors, and d was given: no curve, no entropy, no images."""
    rows = np.random.default_rng(0).normal(size=(100, 5))
    return entropix.fit(rows, latent_dim=2, epochs=2, progress=False)


def test_shows_what_it_found_beside_its_parameters(
    detector: entropix.EntropixDetector, given: entropix.EntropixDetector
) -> None:
    shown = detector._repr_mimebundle_()
    assert shown["text/plain"] == repr(detector)
    html = shown["text/html"]
    assert f">{detector.latent_dim_}<" in html
    assert detector.entropy_ is not None
    assert f"{detector.entropy_.value:.2f} ± {detector.entropy_.stderr:.2f} nats" in html
    assert f"100, {len(detector.calibration_)} of them held out" in html
    assert "α" in html
    assert "<svg" in html
    assert "sk-" in html  # scikit-learn's part
    assert re.sub(r"\d", "", detector._repr_html_()) == re.sub(r"\d", "", html)  # scikit-learn counts its elements
    bare = given._repr_mimebundle_()["text/html"]
    assert "100, " in bare
    assert "<svg" not in bare.partition("<style")[0]
    unfitted = entropix.EntropixDetector()._repr_mimebundle_()["text/html"]
    assert "latent dimension d" not in unfitted
    with config_context(display="text"):
        assert set(detector._repr_mimebundle_()) == {"text/plain"}


def test_curve_is_a_table(
    detector: entropix.EntropixDetector,
    given: entropix.EntropixDetector,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    html = detector.curve_._repr_html_()
    assert html.count("<tr>") == 1 + len(detector.curve_)
    assert "<th>error held out</th>" in html
    assert "given" in given.curve_._repr_html_()
    loaded = entropix.load(detector.save(tmp_path_factory.mktemp("model") / "m"))
    assert loaded.curve_ == detector.curve_ == list(detector.curve_)
    with monkeypatch.context() as patched:
        patched.setattr("entropix.detector._notebook.find_spec", lambda name: None)
        with pytest.raises(ModuleNotFoundError, match="notebook"):
            loaded.curve_.to_frame()
    pytest.importorskip("pandas")
    frame = loaded.curve_.to_frame()
    assert list(frame.index) == [point["latent_dim"] for point in detector.curve_]
    assert frame.entropy.tolist() == [point["entropy"] for point in detector.curve_]
    assert given.curve_.to_frame().empty


def test_plot(detector: entropix.EntropixDetector, given: entropix.EntropixDetector) -> None:
    figure = detector.plot()
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")  # what a notebook shows, without pyplot
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"deficit", "leakage"} - {"leakage" if detector.latent_dim_ == 128 else ""} <= texts
    assert [ax.get_xlabel() for ax in given.plot().axes] == ["epoch"]
    with pytest.raises(ValueError, match="not fitted"):
        entropix.EntropixDetector().plot()


def test_show(detector: entropix.EntropixDetector, given: entropix.EntropixDetector) -> None:
    scores = detector.anomaly_score(TEST.images)
    titles = [ax.get_title() for ax in detector.show(TEST.images, TEST.masks).axes]
    highest = np.sort(scores)[::-1][:6]
    assert [title.partition(" nats, p = ")[0] for title in titles if title] == [f"{score:.1f}" for score in highest]
    few = detector.show(TEST.images[:2])
    assert [ax.get_title() for ax in few.axes if ax.get_title()] == [
        f"{score:.1f} nats, p = {p:.3f}" for score, p in zip(scores, detector.p_value(TEST.images[:2]), strict=False)
    ]
    with pytest.raises(ValueError, match=r"masks of shape \(1, 16, 16\); expected \(2, 16, 16\)"):
        detector.show(TEST.images[:2], TEST.masks[:1])
    with pytest.raises(ValueError, match="not images"):
        given.show(TEST.images)


def test_shows_images_of_raw_values_in_colour() -> None:
    raw = (IMAGES.repeat(3, axis=1) * [[[900]], [[500]], [[100]]]).astype(np.int16)
    detector = entropix.fit(raw, latent_dim=2, image_size=16, epochs=1, progress=False)
    pixels = detector.show(raw[:1]).axes[0].images[0].get_array()
    assert pixels.shape == (16, 16, 3)
    assert 0.2 < pixels[..., 0].max() <= 1


@pytest.mark.parametrize("widgets", [True, False])
def test_progress_in_a_notebook(widgets: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar by ipywidgets where they are, else lines."""
    monkeypatch.setattr(console, "Console", lambda stderr: Console(force_jupyter=True))
    monkeypatch.setattr(console, "find_spec", lambda name: object() if widgets else None)
    bar = Progress("training", 3)
    assert bar._bar.disable is not widgets
    assert bar._lines is not widgets
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without a notebook there is nothing to draw on
        assert Progress("training", 3, enabled=False)._bar.disable
