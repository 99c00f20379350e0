"""DICOM objects of what was found, read again by highdicom and pydicom: values, places, references, one window."""

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_files import item, save_dicom, save_series
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_voi_lut
from scipy import ndimage

import entropix
from entropix.data import Select
from entropix.data.formats import _dicom_objects as objects
from entropix.data.formats._dicom_place import Place
from entropix.data.formats._maps import resize_map
from entropix.detector import EntropixDetector
from entropix.writers import write_heatmaps

ALL = list(objects.OBJECTS)


@pytest.fixture(scope="module")
def detector() -> EntropixDetector:
    images = entropix.datasets.phantoms(100, 2, image_size=16).images[:, 0]
    return entropix.fit((images * 255).astype(np.uint8), latent_dim=2, epochs=5, image_size=16, progress=False)


@pytest.fixture(scope="module")
def scans() -> np.ndarray:
    """Six images (6, 48, 40) uint8, of which the last three have a bright square."""
    found = entropix.datasets.phantoms(6, 2, image_size=48, seed=1).images[:, 0, :, :40]
    found[3:, 12:24, 20:32] = 1
    return (found * 255).astype(np.uint8)


def written(folder: Path, detector: EntropixDetector, data: Any, **options: Any) -> dict[str, list[pydicom.Dataset]]:
    """The objects of each kind, in the order of their names."""
    keep = options.get("keep_ids", True)
    images = detector.read(data, select=Select(series="*"), keep_ids=keep, cache=False)  # doses too
    write_heatmaps(folder, detector, images, **{"keep_ids": keep, "dicom": ALL} | options)
    found: dict[str, list[pydicom.Dataset]] = {}
    for path in sorted(folder.rglob("*.dcm")):
        found.setdefault(path.relative_to(folder).parts[0], []).append(pydicom.dcmread(path))
    return found


def values_of(one: pydicom.Dataset) -> tuple[np.ndarray, float]:
    """Nats per pixel (f, h, w) of a parametric map as highdicom reads it, from below, and the step between values."""
    image = highdicom.Image.from_dataset(one)
    slope = one.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0].RealWorldValueSlope
    heights = [group.PlanePositionSequence[0].ImagePositionPatient[2] for group in one.PerFrameFunctionalGroupsSequence]
    return image.get_frames(apply_real_world_transform=True)[np.argsort(heights)] / 1000, slope / 1000


def resized(detector: EntropixDetector, data: Any) -> list[np.ndarray]:
    images = detector.read(data, select=Select(series="*"), cache=False)
    maps = detector.surprise_maps(images)
    return [resize_map(one, size) for one, size in zip(maps, images.sizes.tolist(), strict=True)]


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "rtdose.dcm", "JPEG2000.dcm"])
def test_objects_refer_to_their_source(detector: EntropixDetector, tmp_path: Path, name: str) -> None:
    path = get_testdata_file(name)
    source, found = pydicom.dcmread(path), written(tmp_path / "maps", detector, path)
    assert sorted(found) == sorted(ALL)
    for one in [*found["map"], *found["seg"], *found["overlay"]]:
        for reference in one.SourceImageSequence:
            assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
            assert reference.ReferencedSOPClassUID == source.SOPClassUID
        assert one.StudyInstanceUID == source.StudyInstanceUID
        assert one.SeriesInstanceUID != source.SeriesInstanceUID
        assert one.SOPInstanceUID != source.SOPInstanceUID
    (report,) = found["report"]
    named = {r.ReferencedSOPInstanceUID: r.ReferencedSOPClassUID for r in evidence(report)}
    assert named == {source.SOPInstanceUID: source.SOPClassUID}
    assert len({one.SeriesInstanceUID for kind in found.values() for one in kind}) == 4
    values, step = values_of(found["map"][0])
    np.testing.assert_allclose(values, np.stack(resized(detector, path)), atol=0.51 * step)
    if "ImagePositionPatient" in source and int(source.get("NumberOfFrames") or 1) == 1:
        assert found["map"][0].FrameOfReferenceUID == source.FrameOfReferenceUID
        shared = found["map"][0].SharedFunctionalGroupsSequence[0]
        own = found["map"][0].PerFrameFunctionalGroupsSequence[0]
        assert own.PlanePositionSequence[0].ImagePositionPatient == source.ImagePositionPatient
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == source.ImageOrientationPatient
        assert shared.PixelMeasuresSequence[0].PixelSpacing == source.PixelSpacing
    else:  # two frames of the dose lie at one place of its header; the other has none
        assert "ImagePositionPatient" not in found["overlay"][0]


def evidence(report: pydicom.Dataset) -> list[pydicom.Dataset]:
    series = [s for study in report.CurrentRequestedProcedureEvidenceSequence for s in study.ReferencedSeriesSequence]
    return [reference for one in series for reference in one.ReferencedSOPSequence]


def test_a_series_has_one_map(detector: EntropixDetector, scans: np.ndarray, tmp_path: Path) -> None:
    save_series(tmp_path / "in" / "a", scans[::-1])
    save_series(tmp_path / "in" / "b", scans[:2], study="2", PatientID="4712", PatientName="Poe^Edgar")
    save_series(tmp_path / "in" / "c", scans[:2], study="2", SeriesInstanceUID="1.2.9", PatientID="4712")
    found = written(tmp_path / "out", detector, tmp_path / "in")
    assert {kind: len(some) for kind, some in found.items()} == {"overlay": 10, "map": 3, "seg": 3, "report": 2}
    first = found["map"][0]
    places = [g.PlanePositionSequence[0].ImagePositionPatient[2] for g in first.PerFrameFunctionalGroupsSequence]
    assert sorted(places) == [0, 5, 10, 15, 20, 25]
    values, step = values_of(first)
    np.testing.assert_allclose(values, np.stack(resized(detector, tmp_path / "in" / "a")), atol=0.51 * step)
    for kind in ALL:
        patients = [(str(one.PatientName), one.PatientID, one.StudyInstanceUID) for one in found[kind]]
        assert set(patients) >= {("Doemann^Janine", "MRN4711", "1.2.3.1"), ("Poe^Edgar", "4712", "1.2.3.2")}
        if kind != "report":
            assert len({one.SeriesInstanceUID for one in found[kind]}) == 3
    again = written(tmp_path / "again", detector, tmp_path / "in", dicom=["map"])
    assert again["map"][0].SeriesInstanceUID != first.SeriesInstanceUID
    assert again["map"][0].StudyInstanceUID == first.StudyInstanceUID


def test_slices_at_one_place_have_a_map_each(detector: EntropixDetector, scans: np.ndarray, tmp_path: Path) -> None:
    for phase in ("early", "late"):
        save_series(tmp_path / "in" / phase, scans[:2])
    found = written(tmp_path / "out", detector, tmp_path / "in")
    assert [len(found[kind]) for kind in ("map", "seg", "report")] == [4, 4, 1]
    assert sorted(one.InstanceNumber for one in found["map"]) == [1, 2, 3, 4]


def test_enhanced_files_keep_the_place_of_their_frames(detector: EntropixDetector, tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 255, (3, 16, 16), dtype=np.uint8)
    own = [item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, i])], FrameVOILUTSequence=[]) for i in range(3)]
    plane = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared = [item(PixelMeasuresSequence=[item(PixelSpacing=[1, 2])], PlaneOrientationSequence=[plane])]
    groups = {"PerFrameFunctionalGroupsSequence": own, "SharedFunctionalGroupsSequence": shared}
    path = save_dicom(tmp_path / "a.dcm", stored, FrameOfReferenceUID="1.2.3", **groups)
    found = written(tmp_path / "out", detector, path)
    for kind, back in (("map", 0.0), ("overlay", 31 / 64)):  # an overlay's pixels are a 32nd as wide
        (one,) = found[kind]
        assert one.NumberOfFrames == 3
        assert one.FrameOfReferenceUID == "1.2.3"
        places = [g.PlanePositionSequence[0].ImagePositionPatient for g in one.PerFrameFunctionalGroupsSequence]
        np.testing.assert_allclose(
            sorted(places, key=lambda place: place[2]), [[-2 * back, -back, i] for i in range(3)], atol=1e-6
        )
        times = 32 if back else 1
        spacing = one.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
        np.testing.assert_allclose(spacing, [1 / times, 2 / times], atol=1e-9)


def test_a_place_divided_covers_the_same_pixels() -> None:
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0][:2]
    whole = Place(np.array([[1.0, 2, 3]]), turned, np.array([0.7, 0.9]))
    fine = whole.divided(3)
    centre = fine.positions[0] + fine.spacing[1] * turned[0] + fine.spacing[0] * turned[1]  # the middle one of 3 x 3
    np.testing.assert_allclose(centre, whole.positions[0])


def test_all_maps_have_one_window_in_which_normal_images_are_dark(
    detector: EntropixDetector, scans: np.ndarray, tmp_path: Path
) -> None:
    normal = (entropix.datasets.phantoms(40, 2, image_size=16, seed=2).images[:, 0] * 255).astype(np.uint8)
    save_series(tmp_path / "in" / "a", scans)
    save_series(tmp_path / "in" / "b", normal, study="2")
    lesions, usual = written(tmp_path / "out", detector, tmp_path / "in", dicom=["map"])["map"]
    assert (lesions.WindowCenter, lesions.WindowWidth) == (usual.WindowCenter, usual.WindowWidth)
    assert lesions.WindowWidth >= 100  # steps of grey
    _, step = values_of(usual)
    level = detector.calibration_.threshold(0.05, "peak")
    assert lesions.WindowCenter * step == pytest.approx(level, rel=0.01)
    assert lesions.WindowWidth == 2 * lesions.WindowCenter
    shown = [apply_voi_lut(one.pixel_array, one) / 65535 for one in (lesions, usual)]
    assert np.median(shown[1].max((1, 2))) < 0.5
    assert shown[1].mean() < 0.15
    assert shown[0][:3, 12:24, 20:32].mean() > 0.5  # highdicom begins at the upper end
    image = highdicom.Image.from_dataset(lesions)  # the same window by functional groups
    np.testing.assert_allclose(
        image.get_frames(apply_real_world_transform=False, apply_voi_transform=True), shown[0], atol=0.01
    )


def test_maps_hold_values_far_from_the_level(
    detector: EntropixDetector, scans: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = np.zeros((1, 16, 16), dtype=np.float32)
    hot[:, 3:5, 3:5] = 7e3
    explain = EntropixDetector.explain
    monkeypatch.setattr(EntropixDetector, "explain", lambda *args, **options: explain(*args, **options) | {"map": hot})
    save_series(tmp_path / "in", scans[:1])
    (one,) = written(tmp_path / "out", detector, tmp_path / "in", dicom=["map"])["map"]
    values, step = values_of(one)
    assert values.max() == pytest.approx(7e3, abs=step)
    assert one.WindowWidth >= 2


def test_the_segmentation_is_that_of_regions(detector: EntropixDetector, scans: np.ndarray, tmp_path: Path) -> None:
    save_series(tmp_path / "in", scans)
    found = written(tmp_path / "out", detector, tmp_path / "in", dicom=["seg"])
    seg = highdicom.seg.Segmentation.from_dataset(found["seg"][0])
    volume = seg.get_volume(combine_segments=True)
    regions = detector.regions(detector.read(tmp_path / "in", cache=False))
    assert sum(map(len, regions)) > 0
    places = [round(float(volume.get_plane_position(i)[0].ImagePositionPatient[2]) / 5) for i in range(volume.shape[0])]
    seen = dict(zip(places, volume.array, strict=True))
    for i, expected in enumerate(regions):
        mask = seen.get(i, np.zeros(scans.shape[1:]))
        boxes = [
            (rows.start, columns.start, rows.stop, columns.stop)
            for rows, columns in ndimage.find_objects(ndimage.label(mask, np.ones((3, 3)))[0])
        ]
        wanted = [(one.top, one.left, one.bottom, one.right) for one in expected]
        # a pixel of the model is 2.5 columns wide here, and half of one belongs to one of its neighbours
        np.testing.assert_allclose(sorted(boxes), sorted(wanted), atol=1)


def test_pixels_of_the_segmentation_are_those_above_the_level(
    detector: EntropixDetector, scans: np.ndarray, tmp_path: Path
) -> None:
    """A pixel of the model is 3 x 3 of the image here."""
    save_series(tmp_path / "in", np.pad(scans, [(0, 0), (0, 0), (0, 8)]))
    (one,) = written(tmp_path / "out", detector, tmp_path / "in", dicom=["seg"])["seg"]
    images = detector.read(tmp_path / "in", cache=False)
    above = detector.surprise_maps(images) > detector.calibration_.threshold(detector.alpha, "peak")
    assert above.any()
    assert sum(one.area for some in detector.regions(images) for one in some) == 9 * above.sum()
    expected = {5.0 * i: np.kron(mask, np.ones((3, 3))) for i, mask in enumerate(above) if mask.any()}
    heights = [group.PlanePositionSequence[0].ImagePositionPatient[2] for group in one.PerFrameFunctionalGroupsSequence]
    assert sorted(heights) == list(expected)
    for height, frame in zip(heights, one.pixel_array.reshape(-1, 48, 48), strict=True):
        np.testing.assert_array_equal(frame, expected[height])


def test_the_report_holds_scores_and_regions(detector: EntropixDetector, scans: np.ndarray, tmp_path: Path) -> None:
    save_series(tmp_path / "in", scans)
    (found,) = written(tmp_path / "out", detector, tmp_path / "in", dicom=["report"])["report"]
    content = highdicom.sr.Comprehensive3DSR.from_dataset(found).content
    images = detector.read(tmp_path / "in", cache=False)
    groups = content.get_image_measurement_groups()
    told = [[one.value for one in group.get_measurements()] for group in groups]
    expected = np.column_stack([detector.anomaly_score(images), detector.p_value(images)])
    np.testing.assert_allclose(told, expected, rtol=1e-4)
    sources = [pydicom.dcmread(path).SOPInstanceUID for path in sorted((tmp_path / "in").iterdir())]
    named = [group.source_images[0].referenced_sop_instance_uid for group in groups]
    assert named == sources
    regions = [one for some in detector.regions(images) for one in some]
    outlines = [group.roi.value for group in content.get_planar_roi_measurement_groups()]
    assert len(outlines) == len(regions) > 0
    corners = [[*outline.min(0), *outline.max(0)] for outline in outlines]
    np.testing.assert_allclose(corners, [[one.left, one.top, one.right, one.bottom] for one in regions])
    peaks = [group.get_measurements()[0].value for group in content.get_planar_roi_measurement_groups()]
    np.testing.assert_allclose(peaks, [one.peak for one in regions], rtol=1e-5)


def test_the_overlay_shows_the_image_and_says_the_score(
    detector: EntropixDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    level = detector.calibration_.threshold(0.05, "peak")
    hot = np.zeros((2, 16, 16), dtype=np.float32)
    hot[:, :8, 8:] = 2 * level
    explain = EntropixDetector.explain
    monkeypatch.setattr(EntropixDetector, "explain", lambda *args, **options: explain(*args, **options) | {"map": hot})
    stored = np.random.default_rng(0).integers(0, 256, (40, 64), dtype=np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    save_dicom(folder / "a.dcm", stored, Laterality="L")
    save_dicom(folder / "b.dcm", 255 - stored, PhotometricInterpretation="MONOCHROME1", BurnedInAnnotation="YES")
    one, other = written(tmp_path / "out", detector, folder, dicom=["overlay"])["overlay"]
    assert (one.Columns, one.Laterality, other.BurnedInAnnotation) == (64 * 13, "L", "YES")
    assert "BurnedInAnnotation" not in one
    picture = one.pixel_array
    np.testing.assert_array_equal(picture[: 40 * 13], other.pixel_array[: 40 * 13])
    small, strip = picture[6 : 40 * 13 : 13, 6::13], picture[40 * 13 :]
    assert (small[22:] == stored[22:, :, None]).all()  # where the map is 0: the image
    inside, top = small[:18, 36:] / 255, np.array([0.988, 1.0, 0.645])  # the last colour of inferno
    np.testing.assert_allclose(inside, 0.3 * stored[:18, 36:, None] / 255 + 0.7 * top, atol=0.01)
    assert 0.02 < (strip == 255).all(-1).mean() < 0.3  # letters
    assert not (strip[:, -2:] == 255).all(-1).any()  # none at the edge


def test_objects_that_can_not_be_written(
    detector: EntropixDetector, scans: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_series(tmp_path / "in", scans[:1])
    with pytest.raises(ValueError, match=r"dicom=\['gsps'\]; expected one or more of overlay, map, seg, report"):
        written(tmp_path / "out", detector, tmp_path / "in", dicom=["gsps"])
    monkeypatch.setattr(objects, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"DICOM map needs highdicom: .*'\.\[dicom\]'.*--dicom overlay"):
        written(tmp_path / "out", detector, tmp_path / "in", dicom=["overlay", "map"])
    assert not (tmp_path / "out").exists()
    assert list(written(tmp_path / "out", detector, tmp_path / "in", dicom=["overlay"])) == ["overlay"]
