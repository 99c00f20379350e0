"""DICOM in detail: windows, padding, enhanced files, headers that lie, series, identifiers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import item, save_dicom
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, generate_uid

from entropix.data import DataError, Select, read
from entropix.data import _privacy as privacy
from entropix.data.formats import decode
from entropix.data.formats._codestream import frame_size


def frames(path: Path) -> np.ndarray:
    """(f, h, w) of a grey file."""
    return np.stack(decode(path, Select(), keep_ids=False).frames)[:, 0]


@pytest.fixture
def signed() -> np.ndarray:
    """16-bit signed (32, 32), -1000 to 2000."""
    return np.linspace(-1000, 2000, 1024).reshape(32, 32).astype(np.int16)


WINDOW = {"WindowCenter": 40, "WindowWidth": 400}


def linear(values: np.ndarray, centre: float = 40, width: float = 400) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, from 0 to 1."""
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def test_signed_window_and_inversion(tmp_path: Path, signed: np.ndarray) -> None:
    shown = frames(save_dicom(tmp_path / "a", signed, **WINDOW))[0]
    np.testing.assert_allclose(shown, linear(signed.astype(float)), atol=1e-6)
    inverted = frames(save_dicom(tmp_path / "b", signed, PhotometricInterpretation="MONOCHROME1", **WINDOW))[0]
    np.testing.assert_allclose(inverted, 1 - shown, atol=1e-6)


def test_first_of_several_windows_and_other_functions(tmp_path: Path, signed: np.ndarray) -> None:
    several = {"WindowCenter": [40, 500], "WindowWidth": [400, 2000]}
    np.testing.assert_allclose(frames(save_dicom(tmp_path / "a", signed, **several))[0], linear(signed), atol=1e-6)
    exact = frames(save_dicom(tmp_path / "b", signed, VOILUTFunction="LINEAR_EXACT", **WINDOW))[0]
    np.testing.assert_allclose(exact, np.clip((signed - 40.0) / 400 + 0.5, 0, 1), atol=1e-6)
    sigmoid = frames(save_dicom(tmp_path / "c", signed, VOILUTFunction="SIGMOID", **WINDOW))[0]
    np.testing.assert_allclose(sigmoid, 1 / (1 + np.exp(-4 * (signed - 40.0) / 400)), atol=1e-6)


def test_lookup_tables(tmp_path: Path) -> None:
    stored = np.arange(256, dtype=np.uint16).reshape(16, 16)
    curve = np.round(4095 * (np.arange(256) / 255) ** 2).astype(np.uint16)
    table = item(LUTDescriptor=[256, 0, 12], LUTData=curve.tobytes(), LUTExplanation="")
    as_voi = save_dicom(tmp_path / "a", stored, BitsStored=12, HighBit=11, VOILUTSequence=[table])
    np.testing.assert_allclose(frames(as_voi)[0].reshape(-1), curve / 4095, atol=1e-6)
    table = item(LUTDescriptor=[256, 0, 16], LUTData=curve.tobytes(), ModalityLUTType="US")
    window = {"WindowCenter": 2048, "WindowWidth": 1000}
    as_modality = save_dicom(tmp_path / "b", stored, BitsStored=12, HighBit=11, ModalityLUTSequence=[table], **window)
    np.testing.assert_allclose(frames(as_modality)[0].reshape(-1), linear(curve, 2048, 1000), atol=1e-6)


@pytest.mark.parametrize("inverted", [False, True])
def test_padding_is_black_and_takes_no_part(tmp_path: Path, signed: np.ndarray, inverted: bool) -> None:
    padded = signed.copy()
    padded[:, :4] = -2000
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    shown = frames(save_dicom(tmp_path / "a", padded, PixelPaddingValue=-2000, PhotometricInterpretation=photometric))
    low, high = np.percentile(padded[:, 4:], (0.5, 99.5))
    scaled = np.clip((padded[:, 4:] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(shown[0, :, 4:], 1 - scaled if inverted else scaled, atol=1e-6)
    assert (shown[0, :, :4] == 0).all()
    limits = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -500}
    ranged = frames(save_dicom(tmp_path / "b", padded, **limits, **WINDOW))[0]
    assert (ranged[padded <= -500] == 0).all()


def test_enhanced_frames_have_their_own_rescale_and_window(tmp_path: Path) -> None:
    stored = np.stack([np.arange(64, dtype=np.uint16).reshape(8, 8)] * 2)
    own = [
        item(PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=0, RescaleType="US")])
        for slope in (1, 2)
    ]
    shared = [item(FrameVOILUTSequence=[item(WindowCenter=50, WindowWidth=101)])]
    groups = {"SharedFunctionalGroupsSequence": shared, "PerFrameFunctionalGroupsSequence": own}
    shown = frames(save_dicom(tmp_path / "a", stored, **groups))
    np.testing.assert_allclose(shown[0], linear(stored[0], 50, 101), atol=1e-6)
    np.testing.assert_allclose(shown[1], linear(2.0 * stored[1], 50, 101), atol=1e-6)
    images = read(tmp_path / "a", image_size=8)
    assert [(origin.volume, origin.frame) for origin in images.origins] == [("a", 0), ("a", 1)]


def test_missing_tags(tmp_path: Path) -> None:
    stored = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    path = save_dicom(tmp_path / "a", stored, PhotometricInterpretation=None)
    np.testing.assert_allclose(frames(path)[0], stored / 255, atol=1e-6)
    bare = dcmread(path)
    del bare.file_meta.TransferSyntaxUID
    bare.save_as(tmp_path / "bare.dcm", implicit_vr=False, little_endian=True)
    np.testing.assert_allclose(frames(tmp_path / "bare.dcm")[0], stored / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Rows": None}, "without image size"),
        ({"Columns": 0}, "claims 8 rows, 0 columns"),
        ({"Rows": 80}, "less than expected"),
        ({"NumberOfFrames": 10_000_000}, "claims 640000000 values|less than expected"),
        ({"NumberOfFrames": -3}, "-3 frames"),
        ({"BitsAllocated": None}, "Bits Allocated"),
        ({"BitsStored": 12, "HighBit": 11}, "Bits Stored"),
        ({"WindowCenter": 40, "WindowWidth": 0}, "window of centre 40 and Window Width 0; repair"),
        ({"PixelData": None}, "without pixel data"),
    ],
)
def test_wrong_tags_are_named(tmp_path: Path, tags: dict[str, Any], reason: str) -> None:
    save_dicom(tmp_path / "a.dcm", np.arange(64, dtype=np.uint8).reshape(8, 8), **tags)
    with pytest.raises(DataError, match=rf"a.dcm: .*({reason})"):
        read(tmp_path)


def test_codestream_of_another_size(tmp_path: Path) -> None:
    codestream = b"\xff\x4f\xff\x51" + bytes([0, 41, 0, 0]) + b"".join(n.to_bytes(4, "big") for n in (9, 60_000, 0, 0))
    assert frame_size(codestream) == (60_000, 9)
    jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x01\x00\x02\x00\x01"
    assert frame_size(jpeg) == (256, 512)
    assert frame_size(b"\x01\x00\x00\x00") is None
    assert frame_size(b"\xff\xd8\xff\xe0\x00\x04ab") == (0, 0)
    image = np.zeros((8, 8), np.uint8)
    save_dicom(tmp_path / "a.dcm", image, syntax=JPEG2000Lossless, PixelData=encapsulate([codestream]))
    with pytest.raises(DataError, match="a frame of 60000 x 9 pixels where the header says 8 x 8"):
        read(tmp_path)
    big = {"Rows": 60_000, "Columns": 9}
    save_dicom(tmp_path / "a.dcm", image, syntax=JPEG2000Lossless, PixelData=encapsulate([codestream]), **big)
    with pytest.raises(DataError, match="claims 540000 values, more than 44 compressed bytes hold"):
        read(tmp_path)


def test_missing_decoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("Unable to decompress because all plugins are missing dependencies")

    monkeypatch.setattr("pydicom.pixels.pixel_array", refuse)
    with pytest.raises(DataError, match=r"JPEG-LS Lossless .*pip install .*\[dicom\]"):
        read(get_testdata_file("MR_small_jpeg_ls_lossless.dcm"))


@pytest.fixture
def study(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A CT of three slices, a localiser and an MR image of one patient, and a CT of another."""
    series = {name: generate_uid() for name in ("chest", "localiser", "brain", "other")}
    lying = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}

    def save(name: str, kind: str, modality: str, patient: str, z: float) -> None:
        image = rng.integers(0, 255, (16, 16), dtype=np.uint8)
        tags = lying | {"ImagePositionPatient": [0, 0, z], "SeriesInstanceUID": series[kind], "PatientID": patient}
        save_dicom(tmp_path / name, image, Modality=modality, SeriesDescription=kind, SeriesNumber=len(kind), **tags)

    for i, z in enumerate((30, 10, 20)):
        save(f"ct{i}.dcm", "chest", "CT", "Doe^Jane", z)
    save("loc.dcm", "localiser", "CT", "Doe^Jane", 0)
    save("mr.dcm", "brain", "MR", "Doe^Jane", 0)
    save("other.dcm", "other", "CT", "Roe^Richard", 0)
    return tmp_path


def test_series_are_picked(study: Path) -> None:
    with pytest.raises(DataError, match=r"several modalities: 5 DICOM CT, 1 DICOM MR.*--select series=.*chest \(3\)"):
        read(study)
    chest = read(study, select=Select(series="CHEST"), image_size=16)
    assert chest.names == ["ct0.dcm", "ct1.dcm", "ct2.dcm"]
    assert [origin.position for origin in chest.origins] == [30, 10, 20]
    assert len({origin.volume for origin in chest.origins}) == 1
    assert len(read(study, select=Select(series="*"))) == 6
    assert read(study, select=Select(series="9")).names == ["loc.dcm"]  # its number
    with pytest.raises(DataError, match=r"nothing matches --select series=abdomen; there is: series chest \(3\), .*\("):
        read(study, select=Select(series="abdomen"))


def test_identifiers_stay_out_unless_kept(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = Select(series="*")
    images = read(study, select=everything)
    assert [group.startswith("patient-") for group in images.groups] == [True] * 6
    assert len(set(images.groups)) == 2
    shown = repr([images.names, images.groups, images.origins, images])
    assert "Doe" not in shown
    assert "1.2.826" not in shown
    assert read(study, select=everything).groups == images.groups
    kept = read(study, select=everything, keep_ids=True)
    assert set(kept.groups) == {"Doe^Jane", "Roe^Richard"}
    # another salt, another pseudonym: a table of hashed patient numbers does not undo it
    assert privacy.salt_file().stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr("entropix.data._privacy._salt", lambda: (b"x" * 16, True))
    assert not set(read(study, select=everything).groups) & set(images.groups)
