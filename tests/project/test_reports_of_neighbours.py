"""Public bug reports of neighbouring projects, tried here: each test names the report that it stands for."""

import io
import os
import struct
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import torch
from dicom_files import save_dicom
from PIL import Image
from scipy.sparse import csr_matrix

import entropix
from entropix.data import DataError, Select, read
from entropix.data.formats import decode

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture
def rows(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((60, 4))


def volume(path: Path, values: np.ndarray, slope: float | None = None) -> np.ndarray:
    """The slices (n, h, w) of a NIfTI file that holds these values; a slope is written into the header alone."""
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    if slope is not None:
        content = bytearray(path.read_bytes())
        content[112:120] = np.array([slope, 0], "<f4").tobytes()
        path.write_bytes(content)
    return np.stack([frame[0] for frame in decode(path, Select(), False).frames])


def test_dicom2nifti_13_signed_values_of_twelve_bits(tmp_path: Path) -> None:
    signed = GREY.astype(np.int16) - 128
    tags = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1, "WindowCenter": 0, "WindowWidth": 256}
    path = save_dicom(tmp_path / "a.dcm", (signed & 0x0FFF).astype(np.uint16), **tags)
    assert (np.diff(decode(path, Select(), False).frames[0].ravel()) > 0).all()


def test_pydicom_1237_empty_rescale_and_lookup_table(tmp_path: Path) -> None:
    tags = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2048, "WindowWidth": 4096}
    plain = save_dicom(tmp_path / "a.dcm", GREY.astype(np.uint16), **tags)
    empty = pydicom.Dataset()
    empty.add_new(0x00283002, "US", None)
    empty.add_new(0x00283006, "OW", None)
    tags |= {"RescaleSlope": "", "RescaleIntercept": "", "VOILUTSequence": [empty]}
    path = save_dicom(tmp_path / "b.dcm", GREY.astype(np.uint16), **tags)
    np.testing.assert_array_equal(*(decode(one, Select(), False).frames[0] for one in (plain, path)))


def test_cornerstone3d_1717_windows_narrower_than_one(tmp_path: Path) -> None:
    path = save_dicom(
        tmp_path / "a.dcm", GREY, RescaleSlope="0.001", RescaleIntercept=0, WindowCenter=0.1, WindowWidth=0.2
    )
    frame = decode(path, Select(), False).frames[0][0]
    np.testing.assert_allclose(frame, np.clip(GREY * 0.001 / 0.2, 0, 1), atol=1e-5)


def test_pydicom_1689_reading_changes_no_file(tmp_path: Path) -> None:
    path = save_dicom(tmp_path / "a.dcm", GREY.astype(np.int16))
    before = path.read_bytes()
    read(path, image_size=16, cache=False)
    assert path.read_bytes() == before


def test_monai_8108_scaled_bytes_are_not_bytes(rng: np.random.Generator, tmp_path: Path) -> None:
    values = rng.integers(0, 100, (8, 8, 4)).astype(np.uint8)
    assert volume(tmp_path / "a.nii", values, slope=2.0).max() == 1
    assert volume(tmp_path / "b.nii", values).max() == pytest.approx(values.max() / 255)


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_nibabel_1001_no_slope_is_none(slope: float, rng: np.random.Generator, tmp_path: Path) -> None:
    values = rng.integers(0, 100, (8, 8, 4)).astype(np.uint8)
    np.testing.assert_array_equal(volume(tmp_path / "a.nii", values, slope), volume(tmp_path / "b.nii", values))


def test_mriqc_1315_a_slope_does_not_overflow_the_stored_type(rng: np.random.Generator, tmp_path: Path) -> None:
    values = rng.integers(0, 30_000, (8, 8, 4)).astype(np.int16)
    found = volume(tmp_path / "a.nii", values, slope=45.0)
    np.testing.assert_allclose(found, volume(tmp_path / "b.nii", values), atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "unit"), [("float32", 3.3e38), ("float64", 1e300), ("float64", 1e-300), ("float32", 1e-40)]
)
def test_torchio_502_percentiles_at_the_ends_of_the_range(
    dtype: str, unit: float, rng: np.random.Generator, tmp_path: Path
) -> None:
    values = rng.uniform(-1, 1, (8, 8, 4))
    expected = volume(tmp_path / "a.nii", values)
    np.testing.assert_allclose(volume(tmp_path / "b.nii", (values * unit).astype(dtype)), expected, atol=1e-4)


def test_nnunet_76_hidden_copies_of_another_system(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "la_001.png")
    (tmp_path / "._la_001.png").write_bytes(b"Mac OS X")
    images = read(tmp_path, image_size=16, cache=False)
    assert images.names == ["la_001.png"]
    assert images.passed_over == [("._la_001.png", "a hidden file")]


def test_anomalib_3058_endings_in_capitals(tmp_path: Path) -> None:
    for name, kind in (("1.JPG", "JPEG"), ("2.TIF", "TIFF"), ("3.PnG", "PNG")):
        Image.fromarray(GREY).save(tmp_path / name, format=kind)
    assert read(tmp_path, image_size=16, cache=False).names == ["1.JPG", "2.TIF", "3.PnG"]


def test_anomalib_872_masks_beside_images(tmp_path: Path) -> None:
    for name in ("01.png", "01_mask.png", "02.bmp", "02-label.png"):
        Image.fromarray(GREY).save(tmp_path / name)
    assert read(tmp_path, image_size=16, cache=False).names == ["01.png", "02.bmp"]


def test_pillow_452_unsigned_big_endian_words(tmp_path: Path) -> None:
    words = np.array([[0, 40_000], [65_535, 1]])
    Image.fromarray(words.astype(">u2")).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(decode(tmp_path / "a.tif", Select(), False).frames[0][0], words)


def test_pillow_5248_colour_of_sixteen_bits(tmp_path: Path) -> None:
    data, tags = np.full((4, 4, 3), 4000, "<u2").tobytes(), []
    for tag, kind, count, value in (
        *((256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 3, 8 + len(data) + 2 + 12 * 9 + 4), (259, 3, 1, 1), (262, 3, 1, 2)),
        *((273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, 4), (279, 4, 1, len(data))),
    ):
        tags.append(struct.pack("<HHII", tag, kind, count, value))
    content = b"II" + struct.pack("<HI", 42, 8 + len(data)) + data + struct.pack("<H", 9) + b"".join(tags)
    (tmp_path / "a.tif").write_bytes(content + bytes(4) + struct.pack("<HHH", 16, 16, 16))
    with pytest.raises(DataError, match="16 bits a value in colour"):
        decode(tmp_path / "a.tif", Select(), False)


def test_pillow_animations_are_not_their_first_image(tmp_path: Path) -> None:
    """As torchvision and scikit-image read of an animated PNG its first frame, without a word."""
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="an animation of 2 images; save each in a file of its own"):
        decode(tmp_path / "a.png", Select(), False)


def test_monai_999_a_cache_knows_the_content_and_the_settings(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    first = read(tmp_path / "a.png", image_size=16, cache=tmp_path / "c").pixels.clone()
    Image.fromarray(255 - GREY).save(tmp_path / "a.png")
    second = read(tmp_path / "a.png", image_size=16, cache=tmp_path / "c").pixels
    torch.testing.assert_close(second, 1 - first)
    assert read(tmp_path / "a.png", image_size=8, cache=tmp_path / "c").pixels.shape[-1] == 8


def test_monai_7244_a_damaged_cache_is_read_anew(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    first = read(tmp_path / "a.png", image_size=16, cache=tmp_path / "c").pixels.clone()
    for path in (tmp_path / "c").glob("*/images.npy"):
        path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(read(tmp_path / "a.png", image_size=16, cache=tmp_path / "c").pixels, first)


@pytest.mark.parametrize("kind", [torch.from_numpy, list, np.asarray])
def test_monai_7789_what_is_done_to_images_does_not_reach_their_source(kind: Any, rng: np.random.Generator) -> None:
    source = rng.random((3, 16, 16), dtype=np.float32)
    before = source.copy()
    read(kind(source), image_size=16).pixels.add_(1)
    np.testing.assert_array_equal(source, before)


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EntropixWarning")
def test_scikit_learn_27839_more_copies_than_neighbours(rows: np.ndarray) -> None:
    detector = entropix.EntropixDetector(2, epochs=2).fit(np.r_[np.repeat(rows[:1], 100, 0), rows[:40]])
    copy, near = detector.anomaly_score(np.r_[rows[:1], rows[:1] + 1e-3])
    assert near == pytest.approx(copy, rel=0.1)


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EntropixWarning")
def test_pyod_420_constant_and_repeated_features_give_numbers(rows: np.ndarray) -> None:
    rows[:, 1], rows[:, 2] = 5, rows[:, 0]
    detector = entropix.EntropixDetector(epochs=2).fit(rows)
    rows[0, 1] = 7
    assert np.isfinite(detector.anomaly_score(rows)).all()


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EntropixWarning")
def test_pyod_41_and_724_one_row_and_one_column(rows: np.ndarray) -> None:
    detector = entropix.EntropixDetector(2, epochs=2).fit(rows)
    np.testing.assert_allclose(detector.anomaly_score(rows[:1]), detector.anomaly_score(rows)[:1])
    with pytest.raises(ValueError, match="1 features"):
        detector.predict(rows[:, :1])


def test_pyod_752_a_share_out_of_its_range(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"alpha=1.5; expected a false-positive rate between 0 and 1"):
        entropix.EntropixDetector(alpha=1.5).fit(rows)


def test_scikit_learn_27626_sparse_tables(rows: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"Sparse data was passed .* dense data"):
        entropix.EntropixDetector().fit(csr_matrix(rows))


@pytest.mark.parametrize("closed", [False, True])
def test_streams_that_are_closed_or_none(closed: bool, images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in services and windowed applications, where tqdm fails (tqdm/tqdm issues on sys.stderr being None)."""
    stream = io.TextIOWrapper(open(os.devnull, "wb")) if closed else None  # noqa: SIM115
    if stream is not None:
        stream.close()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, stream)
    read(images, image_size=16, progress=True)
    entropix.fit(images, latent_dim=1, image_size=16, epochs=1, progress=True).explain(images[:3], progress=True)
