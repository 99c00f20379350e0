"""Headers as files have them: empty values, several of them, narrow windows, degenerate slopes, character sets."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import save_dicom

import entropix
from entropix.data import DataError, Select, read
from entropix.data.formats import decode
from entropix.data.formats._dicom_objects import OBJECTS
from entropix.writers import write_heatmaps

PIXELS = np.random.default_rng(0).integers(0, 4096, (16, 16)).astype(np.uint16)
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


def frame(path: Path, **tags: Any) -> np.ndarray:
    save_dicom(path / "a.dcm", PIXELS, **{"BitsStored": 12, "HighBit": 11} | tags)
    return decode(path / "a.dcm", Select(), False).frames[0][0]


@pytest.mark.parametrize(
    "tags",
    [
        {"VOILUTFunction": ""},
        {"RescaleSlope": [1, 1], "RescaleIntercept": [0, 0]},
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"WindowCenter": [2048, 1], "WindowWidth": [4096, 1]},
        {"PhotometricInterpretation": ""},
        {"NumberOfFrames": ""},
        {"PixelPaddingValue": None, "SeriesNumber": "", "PatientID": "", "ImagePositionPatient": ""},
        {"SpecificCharacterSet": ""},
    ],
)
def test_as_without_them(tags: dict[str, Any], tmp_path: Path) -> None:
    np.testing.assert_allclose(frame(tmp_path, **WINDOW | tags), frame(tmp_path, **WINDOW), atol=1e-6)


@pytest.mark.parametrize("tag", ["SamplesPerPixel", "PixelRepresentation", "BitsStored"])
def test_what_only_repeats_the_rest_may_be_missing(tag: str, tmp_path: Path) -> None:
    tags: dict[str, Any] = {"BitsStored": 16, "HighBit": 15} | WINDOW
    np.testing.assert_array_equal(frame(tmp_path, **tags | {tag: None}), frame(tmp_path, **tags))


def test_a_window_narrower_than_one(tmp_path: Path) -> None:
    slope = 1 / 4095
    tags = {"WindowCenter": "0.5", "WindowWidth": "0.99", "RescaleSlope": f"{slope:.9g}", "RescaleIntercept": "0"}
    expected = np.clip((PIXELS * slope - 0.5) / 0.99 + 0.5, 0, 1)
    np.testing.assert_allclose(frame(tmp_path, **tags), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"RescaleSlope": 0, "RescaleIntercept": 0} | WINDOW, "Rescale Slope is 0.0: it would give all pixels one"),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, "Rescale Slope is 0"),
        ({"WindowCenter": 5, "WindowWidth": -3}, "window of centre 5 and Window Width -3; repair the header"),
    ],
)
def test_degenerate(tags: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        frame(tmp_path, **tags)


def test_a_negative_slope_without_a_window(tmp_path: Path) -> None:
    """A viewer shows the largest rescaled value, which is the smallest stored one, in white."""
    byte = np.arange(256, dtype=np.uint8).reshape(16, 16)
    save_dicom(tmp_path / "a.dcm", byte, RescaleSlope=-2, RescaleIntercept=7)
    found = decode(tmp_path / "a.dcm", Select(), False).frames[0][0]
    np.testing.assert_allclose(found, (255 - byte.astype(float)) / 255, atol=1e-6)


@pytest.fixture(scope="module")
def detector() -> entropix.EntropixDetector:
    images = (entropix.datasets.phantoms(100, factors=2, image_size=16).images[:, 0] * 255).astype(np.uint8)
    return entropix.fit(images, latent_dim=1, image_size=16, epochs=1, progress=False)


def test_maps_of_names_in_other_alphabets(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    name, image = "山田^太郎", np.arange(256, dtype=np.uint8).reshape(16, 16)
    tags = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": name, "SeriesNumber": 2**31 - 1}
    scans = tmp_path / "scans"
    scans.mkdir()
    for file in ("IM#0", "IM_0", "IM#0.dcm"):
        save_dicom(scans / file, image, **tags)
    images = detector.read(scans, keep_ids=True, cache=False)
    write_heatmaps(tmp_path / "maps", detector, images, keep_ids=True, dicom=list(OBJECTS))
    for kind, number, count in (("overlay", 9000, 3), ("map", 10000, 3), ("seg", 11000, 3), ("report", 12000, 3)):
        written = [pydicom.dcmread(path) for path in sorted((tmp_path / "maps" / kind).iterdir())]
        assert len(written) == count
        for one in written:
            assert one.PatientName == name
            assert one.SeriesNumber == number


@pytest.mark.parametrize(("number", "expected"), [(3, 9003), ("", 9000), (None, 9000)])
def test_number_of_the_series(number: Any, expected: int, detector: Any, tmp_path: Path) -> None:
    save_dicom(tmp_path / "a.dcm", np.arange(256, dtype=np.uint8).reshape(16, 16), SeriesNumber=number)
    write_heatmaps(tmp_path / "maps", detector, detector.read(tmp_path / "a.dcm", cache=False))
    assert pydicom.dcmread(tmp_path / "maps" / "overlay" / "a.dcm").SeriesNumber == expected
    assert pydicom.dcmread(tmp_path / "maps" / "map" / "a.dcm").SeriesNumber == expected + 1000


@pytest.mark.parametrize("charset", [b"NO_SUCH_SET ", b"ISO_IR 192  "])
def test_character_sets_that_do_not_fit(charset: bytes, detector: Any, tmp_path: Path) -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    tags = {"SpecificCharacterSet": "ISO_IR 100  ", "PatientName": "A^B^C^", "VOILUTFunction": "LINEAR"}
    path = save_dicom(tmp_path / "a.dcm", image, **tags)
    content = path.read_bytes()
    assert content.count(b"ISO_IR 100  ") == content.count(b"A^B^C^") == 1
    path.write_bytes(content.replace(b"ISO_IR 100  ", charset).replace(b"A^B^C^", b"\xe9\xff^\xff  "))
    images = detector.read(path, keep_ids=True, cache=False)
    write_heatmaps(tmp_path / "maps", detector, images, keep_ids=True)
    assert len(read(tmp_path / "maps", image_size=16, select=Select(series="*"), cache=False)) == 2
