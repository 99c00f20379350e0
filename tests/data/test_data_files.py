"""Files: every format gives the same pixels, real DICOM and NIfTI go through, damage is named."""

import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from dicom_files import save_dicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.testing import data_path
from PIL import Image
from pydicom.data import get_testdata_file

from entropix.data import DataError, read


@pytest.fixture
def grey(rng: np.random.Generator) -> np.ndarray:
    """8-bit image (40, 30) that covers its full range."""
    image = rng.integers(0, 256, (40, 30), dtype=np.uint8)
    image[0, :2] = 0, 255
    return image


def expected(image: np.ndarray, size: int) -> torch.Tensor:
    """The one resizing that all sources share, written out."""
    values = torch.from_numpy(image.astype(np.float32) / 255)[None, None]
    return torch.nn.functional.interpolate(values, size=(size, size), mode="bilinear", antialias=True)[0]


def save_nifti(path: Path, volume: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)
    return path


def axial(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w) as a volume (x, y, z) whose axes point right, anterior and up."""
    return np.ascontiguousarray(images[:, ::-1, ::-1].transpose(2, 1, 0))


@pytest.mark.parametrize("size", [16, 30, 64])
def test_same_image_in_every_format_gives_same_pixels(tmp_path: Path, grey: np.ndarray, size: int) -> None:
    for name in ("a.png", "b.tiff", "c.bmp"):
        Image.fromarray(grey).save(tmp_path / name)
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "d.png")
    alpha = np.full_like(grey, 128)
    Image.fromarray(np.dstack([grey, alpha])).save(tmp_path / "e.png")
    Image.fromarray(np.dstack([grey] * 3 + [alpha])).save(tmp_path / "f.png")
    save_dicom(tmp_path / "g", grey)
    save_dicom(tmp_path / "h.dcm", 255 - grey, PhotometricInterpretation="MONOCHROME1")
    save_nifti(tmp_path / "i.nii.gz", axial(grey[None]))
    save_nifti(tmp_path / "j.nii", axial(grey[None])[..., None])
    images = read(tmp_path, image_size=size)
    assert images.pixels.shape == (10, 1, size, size)
    assert images.pixels.dtype == torch.float32
    assert images.natural_scale
    assert not images.inferred_scale
    assert images.sizes.tolist() == [[40, 30]] * 10
    for image, name in zip(images.pixels, images.names, strict=True):
        torch.testing.assert_close(image, expected(grey, size), rtol=0, atol=1e-6, msg=lambda m, n=name: n + m)
    from_array = read(grey[None], image_size=size).pixels[0]
    torch.testing.assert_close(from_array, expected(grey, size), rtol=0, atol=1e-7)


def test_same_size_is_untouched(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey[:30]).save(tmp_path / "a.png")
    images = read(tmp_path / "a.png", image_size=30)
    assert np.array_equal(images.pixels[0, 0].numpy(), grey[:30].astype(np.float32) / np.float32(255))
    assert images.names == ["a.png"]


def test_exif_orientation_and_palette(tmp_path: Path, grey: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise for viewing
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    images = read(tmp_path, image_size=20)
    assert images.sizes.tolist() == [[40, 30], [30, 40]]
    torch.testing.assert_close(images.pixels[0], expected(grey, 20), rtol=0, atol=1e-6)
    torch.testing.assert_close(images.pixels[1], expected(np.rot90(grey, -1).copy(), 20), rtol=0, atol=1e-6)


def test_16_bit_files_are_raw_and_1_bit_files_natural(tmp_path: Path, grey: np.ndarray) -> None:
    deep = grey.astype(np.uint16) * 200
    Image.fromarray(deep).save(tmp_path / "a.png")
    Image.fromarray(deep).save(tmp_path / "b.tif")
    images = read(tmp_path, image_size=30)
    assert not images.natural_scale
    low, high = images.value_range() or (0, 0)
    assert 0 <= low < high <= 51_000
    assert images.scaled((0, 51_000)).max() <= 1
    torch.testing.assert_close(images.pixels[0], images.pixels[1])
    Image.fromarray(grey > 100).save(tmp_path / "bit.png")
    bit = read(tmp_path / "bit.png", image_size=8)
    assert bit.natural_scale
    assert bit.pixels.max() <= 1
    with pytest.raises(DataError, match=r"different scales: bit.png .* a.png has raw values"):
        read(tmp_path, image_size=30)


def test_pages_of_tiff_and_frames_of_dicom(tmp_path: Path, rng: np.random.Generator) -> None:
    frames = rng.integers(0, 256, (3, 12, 10), dtype=np.uint8)
    pages = [Image.fromarray(frame) for frame in frames]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    save_dicom(tmp_path / "b.dcm", frames)
    images = read(tmp_path, image_size=8)
    assert images.names == [f"{name}#{i}" for name in ("a.tif", "b.dcm") for i in range(3)]
    assert images.groups == ["a.tif"] * 3 + ["b.dcm"] * 3
    for i in range(6):
        torch.testing.assert_close(images.pixels[i], expected(frames[i % 3], 8), rtol=0, atol=1e-6)


def test_colour_of_a_set(tmp_path: Path, rng: np.random.Generator, grey: np.ndarray) -> None:
    colour = rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)
    for i in range(3):
        Image.fromarray(colour).save(tmp_path / f"colour{i}.png")
    Image.fromarray(grey).save(tmp_path / "grey.png")
    images = read(tmp_path, image_size=16)
    assert images.pixels.shape == (4, 3, 16, 16)
    torch.testing.assert_close(images.pixels[0, 2], expected(colour[..., 2], 16)[0], rtol=0, atol=1e-6)
    assert torch.equal(images.pixels[3, 0], images.pixels[3, 2])
    luma = 0.299 * images.pixels[:, 0] + 0.587 * images.pixels[:, 1] + 0.114 * images.pixels[:, 2]
    torch.testing.assert_close(read(tmp_path, image_size=16, channels=1).pixels[:, 0], luma, rtol=0, atol=1e-5)
    assert read(tmp_path / "grey.png", channels=3).pixels.shape == (1, 3, 64, 64)
    # a coloured mark on one scan among many does not make the set coloured
    for i in range(4):
        Image.fromarray(grey).save(tmp_path / f"more{i}.jpg")
    assert read(tmp_path, image_size=16).pixels.shape == (8, 1, 16, 16)


def test_jpeg_noise_is_not_colour(tmp_path: Path, rng: np.random.Generator, grey: np.ndarray) -> None:
    noisy = np.clip(grey[..., None].astype(int) + rng.integers(-1, 2, (40, 30, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "a.png")
    assert read(tmp_path).pixels.shape == (1, 1, 64, 64)
    tinted = noisy - (noisy >= 4) * np.array([0, 4, 0], np.uint8)
    Image.fromarray(tinted.astype(np.uint8)).save(tmp_path / "a.png")
    assert read(tmp_path).pixels.shape == (1, 3, 64, 64)


def test_dicom_window_rescale_and_patient(tmp_path: Path) -> None:
    stored = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    tags = {"BitsStored": 12, "HighBit": 11, "RescaleSlope": 1, "RescaleIntercept": -1024}
    window = {"WindowCenter": 40, "WindowWidth": 400, "PatientID": "Doe^Jane"}
    images = read(save_dicom(tmp_path / "ct", stored, **tags, **window))
    # PS3.3 C.11.2.1.2.1
    shown = np.clip((stored.astype(float) - 1024 - 39.5) / 399 + 0.5, 0, 1)
    np.testing.assert_allclose(images.pixels[0, 0].numpy(), shown, atol=1e-5)
    assert images.groups[0].startswith("patient-")
    assert "Doe" not in images.groups[0]
    assert images.groups == read(save_dicom(tmp_path / "again", stored, **tags, **window)).groups
    # without window: percentiles of the file, since 12 of 16 bits say nothing about where the tissue is
    robust = read(save_dicom(tmp_path / "plain", stored, **tags)).pixels[0, 0].numpy()
    low, high = np.percentile(stored, (0.5, 99.5))
    np.testing.assert_allclose(robust, np.clip((stored - low) / (high - low), 0, 1), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("CT_small.dcm", (1, 1)),
        ("MR_small.dcm", (1, 1)),
        ("MR_small_RLE.dcm", (1, 1)),
        ("JPEG2000.dcm", (1, 1)),
        ("SC_rgb_rle_2frame.dcm", (2, 3)),
        ("examples_palette.dcm", (1, 3)),
        ("SC_ybr_full_422_uncompressed.dcm", (1, 3)),
    ],
)
def test_real_dicom(name: str, shape: tuple[int, int]) -> None:
    images = read(get_testdata_file(name), image_size=32)
    assert images.pixels.shape == (*shape, 32, 32)
    assert images.natural_scale
    assert images.pixels.min() >= 0
    assert 0.3 < images.pixels.max() <= 1
    assert images.pixels.std() > 0.02


def test_compressed_dicom_equals_uncompressed() -> None:
    plain, rle = (read(get_testdata_file(name)).pixels for name in ("MR_small.dcm", "MR_small_RLE.dcm"))
    assert torch.equal(plain, rle)


def test_real_nifti() -> None:
    path = Path(data_path) / "anatomical.nii"
    images = read(path, image_size=32)
    volume = nibabel.as_closest_canonical(nibabel.load(path)).get_fdata()
    low, high = np.percentile(volume, (0.5, 99.5))
    assert images.pixels.shape == (25, 1, 32, 32)
    assert images.names[12] == "anatomical.nii#12"
    assert set(images.groups) == {"anatomical.nii"}
    slice_12 = np.clip((volume[::-1, ::-1, 12].T - low) / (high - low), 0, 1).astype(np.float32)
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(slice_12.copy())[None, None], size=(32, 32), mode="bilinear", antialias=True
    )
    torch.testing.assert_close(images.pixels[12], resized[0], rtol=0, atol=1e-5)


def test_nifti_orientation_and_empty_slices(tmp_path: Path, rng: np.random.Generator) -> None:
    slices = rng.normal(100, 30, (4, 12, 10)).astype(np.float32)
    slices[[0, 2]] = 0
    volume = axial(slices)
    plain = read(save_nifti(tmp_path / "a.nii", volume), image_size=16)
    flipped = nibabel.Nifti1Image(volume[::-1].transpose(2, 0, 1), None)
    flipped.set_sform(np.array([[0, -1, 0, 9], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]), code=1)
    nibabel.save(flipped, tmp_path / "b.nii")
    turned = read(tmp_path / "b.nii", image_size=16)
    assert plain.names == ["a.nii#1", "a.nii#3"]
    assert turned.names == ["b.nii#1", "b.nii#3"]
    assert plain.sizes.tolist() == [[12, 10]] * 2
    torch.testing.assert_close(plain.pixels, turned.pixels)


@pytest.mark.parametrize("threads", ["file", "folder"])
def test_damage_is_named_or_skipped(tmp_path: Path, grey: np.ndarray, threads: str) -> None:
    for i in range(3):
        Image.fromarray(grey).save(tmp_path / f"good{i}.png")
    whole = (tmp_path / "good0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.bmp").write_text("not an image")
    (tmp_path / "cut.nii.gz").write_bytes(b"\x1f\x8b\x08")
    real = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    (tmp_path / "cut.dcm").write_bytes(real[: len(real) // 2])
    (tmp_path / "notes.txt").write_text("ignored")
    bad = ["cut.dcm", "cut.nii.gz", "cut.png", "empty.jpg", "text.bmp"]
    if threads == "file":
        for name in bad:
            with pytest.raises(DataError, match=rf"1 unreadable: {name}: .+skip_unreadable=True"):
                read(tmp_path / name)
        return
    with pytest.raises(DataError, match=r"5 unreadable: cut.dcm: .*cut.png: .*text.bmp: not a PNG"):
        read(tmp_path)
    images = read(tmp_path, skip_unreadable=True, image_size=16)
    assert images.names == ["good0.png", "good1.png", "good2.png"]
    assert [name for name, _ in images.unreadable] == bad
    assert all(reason for _, reason in images.unreadable)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rtplan.dcm", "DICOM RT Plan, no image"),
        ("reportsi.dcm", "DICOM Basic Text SR, no image"),
        ("liver_1frame.dcm", "DICOM Segmentation, a mask"),
        ("nested_priv_SQ.dcm", "DICOM file without image size"),
    ],
)
def test_dicom_without_pixels(name: str, reason: str) -> None:
    with pytest.raises(DataError, match=f"{name}: {reason}"):
        read(get_testdata_file(name))


def test_headers_that_claim_too_much(tmp_path: Path, grey: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    save_dicom(tmp_path / "a.dcm", grey, Rows=65_535, Columns=65_535)
    with pytest.raises(DataError, match=r"claims 4294836225 values"):
        read(tmp_path / "a.dcm")
    header = nibabel.Nifti1Header()
    header.set_data_shape((30_000, 30_000, 30_000))
    (tmp_path / "b.nii").write_bytes(header.binaryblock + b"\0" * 100)
    with pytest.raises(DataError, match=r"claims shape \(30000, 30000, 30000\)"):
        read(tmp_path / "b.nii")
    Image.fromarray(grey).save(tmp_path / "c.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match=r"30 x 40 pixels, more than the 1000"):
        read(tmp_path / "c.png")


def test_other_volumes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"shape \(17, 21, 3, 20\); choose one of its 20 volumes with component="):
        read(Path(data_path) / "functional.nii")
    with pytest.raises(DataError, match="all 5 slices of the volume are empty"):
        read(save_nifti(tmp_path / "a.nii", np.full((8, 8, 5), 7, np.float32)))
    with pytest.raises(DataError, match="dtype complex64; expected real numbers"):
        read(save_nifti(tmp_path / "b.nii", np.ones((4, 4, 4), np.complex64)))
    volume = np.random.default_rng(0).random((8, 8, 5)).astype(np.float32)
    volume[0, :3, 2] = np.nan
    with pytest.raises(DataError, match=r"1 unreadable: c.nii#2: 3 of its 64 values are NaN"):
        read(save_nifti(tmp_path / "c.nii", volume))
    assert len(read(tmp_path / "c.nii", skip_unreadable=True)) == 4


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Small whole files, by name."""
    folder = tmp_path_factory.mktemp("originals")
    image = np.random.default_rng(0).integers(0, 256, (20, 24), dtype=np.uint8)
    for name in ("a.png", "a.jpg", "a.tif"):
        Image.fromarray(image).save(folder / name)
    save_nifti(folder / "a.nii", image[None].astype(np.float32))
    save_nifti(folder / "a.nii.gz", image[None].astype(np.float32))
    np.savez(folder / "a.npz", images=image[None], labels=np.zeros(1))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("MR_small_RLE.dcm", "examples_palette.dcm"):
        files[name] = Path(get_testdata_file(name)).read_bytes()
    return files


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_ends_in_images_or_data_error(
    originals: dict[str, bytes], tmp_path: Path, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(originals)))
    content = bytearray(originals[name])
    place = st.integers(0, min(len(content), 2000) - 1)
    for at in data.draw(st.lists(place, max_size=4)):
        content[at] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    if data.draw(st.booleans()):
        del content[data.draw(place) :]
    (tmp_path / name).write_bytes(content)
    try:
        images = read(tmp_path / name, image_size=8)
    except DataError:
        return
    assert torch.isfinite(images.pixels).all()


def test_tiny_images_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((1, 5), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png: 1 channel\(s\) of 1 x 5 pixels; at least 2 x 2"):
        read(tmp_path)


def test_readers_warnings_stay_inside() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        assert len(read(get_testdata_file("SC_rgb_jpeg.dcm"))) == 1  # pydicom warns of its header
        warnings.warn("of somebody else", stacklevel=1)
    assert [str(one.message) for one in shown] == ["of somebody else"]
