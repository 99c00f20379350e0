"""Whose a DICOM object is: all identifiers are those of the source, or all are replaced, in every kind of object."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import item, save_series

import entropix
from entropix.data import _privacy as privacy
from entropix.data.formats._dicom_identity import EXPECTED, UIDS
from entropix.data.formats._dicom_objects import OBJECTS
from entropix.detector import EntropixDetector
from entropix.writers import score, write_heatmaps, write_scores, write_volume_scores

# What in the source tells who the patient is, in any element or file.
TELLING = (
    "MRN4711",
    "Doemann",
    "Janine",
    "19501231",
    "20260102",
    "030405.6",
    "STUDY77",
    "ACC88",
    "Roemann",
    "Hospital",
    "1.2.3.1",
)


@pytest.fixture(scope="module")
def detector() -> EntropixDetector:
    images = entropix.datasets.phantoms(100, 1, image_size=16).images[:, 0]
    return entropix.fit((images * 255).astype(np.uint8), latent_dim=1, epochs=1, image_size=16, progress=False)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two series of one study, with more that tells who the patient is than objects need."""
    images = np.random.default_rng(0).integers(0, 255, (3, 16, 16), dtype=np.uint8)
    other = item(PatientID="MRN4711-b", IssuerOfPatientID="Hospital")
    more = {"InstitutionName": "Hospital", "PatientAddress": "Janine's Hospital", "OtherPatientIDsSequence": [other]}
    more |= {
        "IssuerOfPatientID": "Hospital",
        "StudyDescription": "Janine Doemann, follow-up",
        "PatientComments": "Doemann",
    }
    save_series(tmp_path / "in" / "a", images, **more)
    save_series(tmp_path / "in" / "b", images[:2], SeriesInstanceUID="1.2.3.1.77", **more)
    return tmp_path / "in"


def written(
    detector: EntropixDetector, scans: Path, out: Path, keep_ids: bool, kinds: Iterable[str] = OBJECTS
) -> list[Path]:
    images = detector.read(scans, keep_ids=keep_ids, cache=False)
    write_heatmaps(out, detector, images, keep_ids=keep_ids, dicom=list(kinds))
    return sorted(out.rglob("*.dcm"))


def test_kept_identifiers_are_all_those_of_the_source(detector: EntropixDetector, scans: Path, tmp_path: Path) -> None:
    source = pydicom.dcmread(scans / "a" / "0.dcm")
    paths = written(detector, scans, tmp_path / "out", keep_ids=True)
    assert len(paths) == 5 + 2 + 2 + 1
    for one in map(pydicom.dcmread, paths):
        for keyword in (*EXPECTED, "StudyInstanceUID", "IssuerOfPatientID", "StudyDescription"):
            assert one[keyword].value == source[keyword].value, keyword
        assert "PatientIdentityRemoved" not in one
        assert one.get("FrameOfReferenceUID", source.FrameOfReferenceUID) == source.FrameOfReferenceUID


def test_replaced_identifiers_leave_none(detector: EntropixDetector, scans: Path, tmp_path: Path) -> None:
    paths = written(detector, scans, tmp_path / "out", keep_ids=False)
    objects = [pydicom.dcmread(path) for path in paths]
    for path, one in zip(paths, objects, strict=True):
        content = path.read_bytes()
        assert [word for word in TELLING if word.encode() in content] == [], path
        assert one.PatientID == privacy.pseudonym("MRN4711")
        assert [keyword for keyword in EXPECTED if one[keyword].value and keyword != "PatientID"] == []
        assert one.PatientIdentityRemoved == "YES"
        assert "PS3.15" in one.DeidentificationMethod[0]
        assert one.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
        assert one.LongitudinalTemporalInformationModified == "REMOVED"
        times = [element.value for element in one.iterall() if element.VR in ("DA", "TM", "DT") and element.value]
        assert {str(value)[:8] for value in times} <= {"19000101", "000000"}, path
    # consistent: one study, one frame of reference, and what is referred to has the same names in all kinds
    source = pydicom.dcmread(scans / "a" / "0.dcm")
    assert {one.StudyInstanceUID for one in objects} == {privacy.replaced_uid(source.StudyInstanceUID)}
    frames = {one.FrameOfReferenceUID for one in objects if "FrameOfReferenceUID" in one}
    assert frames == {privacy.replaced_uid(source.FrameOfReferenceUID)}
    originals = [pydicom.dcmread(path).SOPInstanceUID for path in scans.rglob("*.dcm")]
    for kind in OBJECTS:
        some = (one for path, one in zip(paths, objects, strict=True) if f"/{kind}/" in path.as_posix())
        named = {e.value for one in some for e in one.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
        assert named == {privacy.replaced_uid(uid) for uid in originals}, kind


@pytest.mark.parametrize("keep_ids", [True, False])
def test_tables_name_what_objects_carry(
    detector: EntropixDetector, scans: Path, tmp_path: Path, keep_ids: bool
) -> None:
    """A row and what a viewer shows are joined by study, series and image, with and without --keep-ids."""
    images = detector.read(scans, keep_ids=keep_ids, cache=False)
    scored = score(detector, images)
    write_scores(tmp_path / "s.csv", images, scored)
    write_volume_scores(tmp_path / "v.csv", images, scored.volumes)
    with (tmp_path / "s.csv").open() as slices, (tmp_path / "v.csv").open() as volumes:
        rows, of_volumes = list(csv.DictReader(slices)), list(csv.DictReader(volumes))
    write_heatmaps(tmp_path / "out", detector, images, keep_ids, list(OBJECTS), scored)
    objects = list(map(pydicom.dcmread, (tmp_path / "out").rglob("*.dcm")))

    def named(keyword: str, within: list[pydicom.Dataset]) -> set[str]:
        return {e.value for one in within for e in one.iterall() if e.keyword == keyword}

    assert {row["sop_uid"] for row in rows} == named("ReferencedSOPInstanceUID", objects)
    assert {row["study_uid"] for row in rows} == {one.StudyInstanceUID for one in objects}
    of_series = [item for one in objects for item in one.get("ReferencedSeriesSequence", [])]
    assert {row["series_uid"] for row in rows} == {item.SeriesInstanceUID for item in of_series}
    assert {(row["volume"], row["series_uid"]) for row in rows} == {(row["volume"],) * 2 for row in of_volumes}
    assert {row["group"] for row in rows} == {one.PatientID for one in objects}


@pytest.fixture
def _new_salt() -> Iterator[None]:
    yield
    privacy._salt.cache_clear()


@pytest.mark.usefixtures("_new_salt")
def test_a_new_salt_gives_new_uids(detector: EntropixDetector, scans: Path, tmp_path: Path) -> None:
    def study(folder: str) -> set[tuple[str, str]]:
        paths = written(detector, scans, tmp_path / folder, False, ["overlay", "report"])
        return {(one.StudyInstanceUID, one.PatientID) for one in map(pydicom.dcmread, paths)}

    first, again = study("first"), study("again")
    assert first == again
    assert len(first) == 1
    privacy.salt_file().unlink()
    privacy._salt.cache_clear()
    other = study("other")
    assert len(other) == 1
    assert {uid for uid, _ in other}.isdisjoint({uid for uid, _ in first})
    assert {patient for _, patient in other}.isdisjoint({patient for _, patient in first})


def test_replaced_uids_are_uids() -> None:
    found = [privacy.replaced_uid(f"1.2.{i}") for i in range(100)]
    assert len(set(found)) == 100
    assert all(pydicom.uid.UID(uid).is_valid and uid.startswith("2.25.") and len(uid) <= 44 for uid in found)
    assert privacy.replaced_uid("4711") not in privacy.pseudonym("4711")


def test_a_source_without_identifiers(detector: EntropixDetector, tmp_path: Path) -> None:
    """UIDs are made up, the same for all objects of a file; nobody's number is empty, not somebody's."""
    images = np.random.default_rng(0).integers(0, 255, (1, 16, 16), dtype=np.uint8)
    save_series(tmp_path / "in", images, **dict.fromkeys((*EXPECTED, *UIDS[:2], "FrameOfReferenceUID")))
    for keep_ids in (True, False):
        paths = written(detector, tmp_path / "in", tmp_path / str(keep_ids), keep_ids)
        objects = list(map(pydicom.dcmread, paths))
        assert len({one.StudyInstanceUID for one in objects}) == 1
        assert {one.PatientID or "" for one in objects} == {""}
