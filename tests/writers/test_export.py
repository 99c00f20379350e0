"""Exported detectors score as the detector does."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import entropix
from entropix.writers import _export
from entropix.writers._export import export, outputs

TOLERANCE = 1e-3  # sums of other orders, multiplied by the whitening of activations; far from normal 2e-4 were seen


@pytest.fixture(scope="module")
def detector() -> entropix.EntropixDetector:
    """Of raw values, so that scaling is exported too."""
    normal = entropix.datasets.phantoms(120, 2, image_size=16).images * 700 - 300
    return entropix.fit(normal, latent_dim=3, image_size=16, epochs=5, progress=False)


@pytest.fixture(scope="module", autouse=True)
def _traced_once(detector: entropix.EntropixDetector) -> Iterator[None]:
    """Tracing takes longer than all that is done with its program."""
    with pytest.MonkeyPatch.context() as patch, _export._quiet():
        program = _export._trace(detector)
        patch.setattr(_export, "_trace", lambda _: program)
        yield


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """100, half of them with a lesion, as the detector reads them; a tenth inverted, which no normal one is."""
    images = entropix.datasets.phantoms(100, 2, lesions=0.5, image_size=16, seed=1).images * 700 - 300
    images[:10] = 100 - images[:10]
    return images


def assert_same(detector: entropix.EntropixDetector, images: np.ndarray, found: list[np.ndarray]) -> None:
    by_name = dict(zip(outputs(), found, strict=True))
    terms = detector.explain(images)
    np.testing.assert_allclose(by_name["surprisal"], terms["surprisal"], rtol=TOLERANCE)
    np.testing.assert_allclose(by_name["residual"], terms["residual"], rtol=TOLERANCE)
    np.testing.assert_allclose(by_name["heatmap"], detector.surprise_maps(images), rtol=TOLERANCE, atol=1e-5)
    np.testing.assert_allclose(by_name["reconstruction"], detector.reconstruct(images), atol=1e-5)
    one_rank = detector.calibration_.least
    assert np.abs(by_name["p_value"] - detector.p_value(images)).max() <= 1.001 * one_rank


def test_torch_export(detector: entropix.EntropixDetector, images: np.ndarray, tmp_path: Path) -> None:
    path = export(detector, tmp_path / "model.pt2")
    facts = {"entropix.json": ""}
    program = torch.export.load(path, extra_files=facts).module()
    assert json.loads(facts["entropix.json"])["latent_dim"] == 3
    with torch.no_grad():
        assert_same(detector, images, [value.numpy() for value in program(torch.from_numpy(images))])
        assert program(torch.from_numpy(images[:1]))[0].shape == (1,)
        for others in (images - 2000, images * 0 + 900):  # all black, all white
            with pytest.raises(entropix.exceptions.DataError, match=r"give both in the same unit"):
                detector.anomaly_score(others)
            assert all(value.isnan().all() for value in program(torch.from_numpy(others)))
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt2"]
    with pytest.raises(FileExistsError, match="--overwrite"):
        export(detector, path)


def test_onnx(detector: entropix.EntropixDetector, images: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(export(detector, tmp_path / "model.onnx"))
    assert [output.name for output in session.get_outputs()] == outputs()
    assert json.loads(session.get_modelmeta().custom_metadata_map["anomalous_above"]) == -detector.offset_
    assert_same(detector, images, session.run(None, {"images": images}))
    assert len(session.run(None, {"images": images[:1]})[0]) == 1
    assert all(np.isnan(value).all() for value in session.run(None, {"images": images - 2000}))
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_refuses(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a name that ends in \.onnx or \.pt2"):
        export(detector, tmp_path / "model.tflite")
    vectors = entropix.fit(np.random.default_rng(0).standard_normal((100, 4)), epochs=1, latent_dim=1, progress=False)
    with pytest.raises(ValueError, match="flat feature vectors"):
        export(vectors, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
