"""One rule of scale: the same pixels in any dtype and format have one score, or are refused as on another scale."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from dicom_files import save_dicom
from PIL import Image

import entropix
from entropix.data import DataError, read
from entropix.exceptions import ScaleWarning

SETTINGS: dict[str, Any] = {"latent_dim": 2, "image_size": 16, "epochs": 1, "progress": False}
RAW = ("int16", "uint16", "int32", "int64", "uint32", "float32", "float64")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Grey values (100, 16, 16) from 0 to 255."""
    images = (entropix.datasets.phantoms(100, factors=2, image_size=16).images[:, 0] * 255).round().astype(np.uint8)
    images[0, 0, :2] = 0, 255
    return images


@pytest.fixture(scope="module")
def eight_bit(pixels: np.ndarray) -> entropix.EntropixDetector:
    return entropix.fit(pixels, **SETTINGS)


@pytest.fixture(scope="module")
def raw(pixels: np.ndarray) -> entropix.EntropixDetector:
    return entropix.fit(pixels.astype(np.int64), **SETTINGS)


@pytest.mark.parametrize("kind", ["array", "float", "png", "bmp", "tif", "dicom", "nifti"])
def test_eight_bits(kind: str, eight_bit: entropix.EntropixDetector, pixels: np.ndarray, tmp_path: Path) -> None:
    image = pixels[:1]
    data: Any = {"array": image, "float": image / np.float32(255)}.get(kind, tmp_path / f"a.{kind}")
    if kind in ("png", "bmp", "tif"):
        Image.fromarray(image[0]).save(data)
    elif kind == "dicom":
        save_dicom(data, image[0])
    elif kind == "nifti":
        data = tmp_path / "a.nii"
        nibabel.save(nibabel.Nifti1Image(image[0][::-1, ::-1].T[..., None], np.eye(4)), data)
    assert eight_bit.anomaly_score(data) == eight_bit.anomaly_score(image)


@pytest.mark.parametrize("dtype", RAW)
def test_raw_values(dtype: str, eight_bit: Any, raw: entropix.EntropixDetector, pixels: np.ndarray) -> None:
    values = pixels.astype(dtype)
    np.testing.assert_array_equal(raw.anomaly_score(values), raw.anomaly_score(pixels.astype(np.int64)))
    with pytest.raises(DataError, match=r"raw values from 0 to 255, but training images on \[0, 1\]; give both"):
        eight_bit.anomaly_score(values)


@pytest.mark.parametrize("method", ["read", "anomaly_score", "heatmap", "encode", "reconstruct", "regions", "predict"])
def test_a_model_of_raw_values_refuses_others(
    method: str, raw: entropix.EntropixDetector, pixels: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"8-bit, binary or windowed images, .* raw values from 0 to 255; give both"):
        getattr(raw, method)(pixels[:3])
    with pytest.raises(DataError, match="raw values from 0 to 255"):
        raw.predict(pixels[:3] > 99)


def test_values_outside_the_training_range() -> None:
    images = read(np.linspace(5, 9, 64).reshape(1, 8, 8), image_size=8)
    for value_range in ((9.0, 20.0), (-3.0, 5.0)):
        with pytest.raises(DataError, match=r"values from 5 to 9, .* every pixel would be black or white"):
            images.scaled(value_range)
    with pytest.warns(ScaleWarning, match="nearly black; are both in the same unit"):
        read(np.linspace(0, 2, 64).reshape(1, 8, 8), image_size=8).scaled((0.0, 4095.0))


def test_images_on_0_to_1_are_not_scored_by_a_model_of_0_to_255(
    raw: entropix.EntropixDetector, pixels: np.ndarray
) -> None:
    with pytest.raises(DataError, match=r"values from 0 to 1, training images from 0 to 255: nearly black; give both"):
        raw.anomaly_score(pixels / 255.0)


@pytest.mark.parametrize("above", [1.000001, float(torch.tensor(1.0).half()) + 2**-11])
def test_rounding_above_one(above: float, eight_bit: entropix.EntropixDetector, pixels: np.ndarray) -> None:
    exact = pixels[:1] / np.float32(255)
    rounded = exact.copy()
    rounded[exact == 1] = above
    assert eight_bit.anomaly_score(rounded) == eight_bit.anomaly_score(exact)


@pytest.mark.parametrize(("factor", "told"), [(1e-200, "too small for float32"), (1e200, "infinite .float32 ends at")])
def test_numbers_beyond_float32(factor: float, told: str, rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match=told):
        read(rng.random((3, 8, 8)) * factor, image_size=8)
