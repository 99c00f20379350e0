"""What is decided of images and volumes, by what they are found again, and where labels come from."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import entropix_cli
from dicom_files import save_dicom

import entropix
from entropix import EntropixDetector
from entropix.data import DataError, read, with_labels
from entropix.data._privacy import replaced_uid
from entropix.scoring import Calibration, false_discovery_adjusted

SLICES = 6
WAYS = {"image_size": 16, "cache": False}


def series(folder: Path, patients: int, seed: int = 0, high: int = 0) -> Path:
    """A CT series of six slices of each patient, the first `high` patients with a bright spot in half of them."""
    images = entropix.datasets.phantoms(patients * SLICES, 3, image_size=32, seed=seed).images[:, 0]
    folder.mkdir()
    for i, image in enumerate(images):
        patient, at = divmod(i, SLICES)
        if patient < high and at % 2:
            image[8:14, 8:14] = 1 - image[8:14, 8:14]
        save_dicom(
            folder / f"{seed}-{patient:02}-{at}.dcm",
            (image * 4000).astype(np.uint16),
            Modality="CT",
            PatientID=f"P{seed}-{patient}",
            AccessionNumber=f"A{seed}{patient}",
            StudyInstanceUID=f"1.2.{seed + 1}.{patient + 1}",
            SeriesInstanceUID=f"1.2.{seed + 1}.{patient + 1}.1",
            SOPInstanceUID=f"1.2.{seed + 1}.{patient + 1}.1.{at + 1}",
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, at],
        )
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fitted to 30 patients, six of whom are held out."""
    folder = tmp_path_factory.mktemp("decisions")
    normal = series(folder / "normal", 30)
    entropix.fit(normal, latent_dim=3, image_size=16, epochs=3, progress=False, cache=False, out=folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return series(tmp_path_factory.mktemp("scans") / "new", 4, seed=1, high=1)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_volumes_are_compared_with_held_out_volumes(model: Path, scans: Path, tmp_path: Path) -> None:
    known = entropix.load(model).calibration_
    assert known.volumes is not None
    assert len(known.volumes) == 6
    assert len(known) == 6 * SLICES
    result = entropix_cli("score", model, scans, "--out", tmp_path / "s.csv", "--no-cache")
    rows = rows_of(tmp_path / "s.volumes.csv")
    p = np.array([float(row["p_value"]) for row in rows])
    assert p[0] == pytest.approx(1 / 7)
    assert [row["anomalous"] for row in rows] == ["yes" if one <= 1 / 7 else "no" for one in p]
    np.testing.assert_allclose(p, known.volumes.p_value(np.array([float(row["surprisal"]) for row in rows])))
    assert f"{(p <= 1 / 7).sum()} are anomalous (p <= 0.143; 6 held-out volumes)" in result.stdout


def test_rows_are_found_again(model: Path, scans: Path, tmp_path: Path) -> None:
    entropix_cli("score", model, scans, "--out", tmp_path / "p.csv", "--no-cache")
    entropix_cli("score", model, scans, "--out", tmp_path / "k.csv", "--no-cache", "--keep-ids")
    hidden, kept = rows_of(tmp_path / "p.csv"), rows_of(tmp_path / "k.csv")
    assert list(kept[0])[5:] == ["anomalous", "group", "volume", "study_uid", "series_uid", "sop_uid", "accession"]
    assert list(hidden[0]) == list(kept[0])[:-1]
    assert kept[7]["accession"] == "A11"
    assert [kept[7][f"{kind}_uid"] for kind in ("study", "series", "sop")] == ["1.2.2.2", "1.2.2.2.1", "1.2.2.2.1.2"]
    assert hidden[7]["sop_uid"] == replaced_uid("1.2.2.2.1.2")
    assert not any("1.2.2" in cell for row in hidden for cell in row.values())
    for rows in (hidden, kept):
        assert len({row["sop_uid"] for row in rows}) == 4 * SLICES
        assert len({row["study_uid"] for row in rows}) == 4
    (volume, *_) = rows_of(tmp_path / "k.volumes.csv")
    assert (volume["study_uid"], volume["accession"], volume["group"]) == ("1.2.2.1", "A10", "P1-0")
    for row in kept:
        assert row["anomalous"] == ("yes" if float(row["p_value"]) <= 0.05 else "no")


def test_identifiers_come_from_the_cache_too(scans: Path, tmp_path: Path) -> None:
    first, again = (read(scans, image_size=16, cache=tmp_path / "kept") for _ in range(2))
    assert again.origins == first.origins
    assert again.origins[0].study_uid == replaced_uid("1.2.2.1")


@pytest.mark.parametrize("keep_ids", [True, False])
def test_labels_by_path_patient_and_uid(scans: Path, tmp_path: Path, keep_ids: bool) -> None:
    images = read(scans, keep_ids=keep_ids, **WAYS)
    table = tmp_path / "labels.csv"
    table.write_text("id,label\nP1-0,1\n1.2.2.2.1,normal\n1.2.2.3,0\n1.2.2.1.1.1,0\n")
    labels = with_labels(images, table).labels.reshape(4, SLICES)
    assert labels[0].tolist() == [0, 1, 1, 1, 1, 1]  # what is said of one image counts more
    assert (labels[1:3] == 0).all()
    assert (labels[3] == -1).all()
    table.write_text("label;path\n1;1-03-2.dcm\n")
    assert np.flatnonzero(with_labels(images, table).labels == 1).tolist() == [3 * SLICES + 2]


def test_labels_give_metrics(model: Path, scans: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("id,label\nP1-0,1\nP1-1,0\nP1-2,0\nP1-3,0\n")
    result = entropix_cli("score", model, scans, "--out", tmp_path / "s.csv", "--labels", table, "--no-cache")
    assert "surprisal: AUC" in result.stdout
    assert [row["label"] for row in rows_of(tmp_path / "s.volumes.csv")] == ["1", "0", "0", "0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\nnobody,1\n", "1 of 1 entries are of no image that was read, such as 'nobody'"),
        ("id,label\nP1-0,2\n", "row 1: label '2'; expected 0 or 1, normal or abnormal"),
        ("id,label\nP1-0,1\nP1-0,0\n", "row 2: 'P1-0' has two labels"),
        ("name,label\nP1-0,1\n", "no column path or id beside label; its columns are name, label"),
        ("id\nP1-0\n", "no column label"),
    ],
)
def test_labels_that_cannot_be_meant(scans: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        with_labels(read(scans, **WAYS), tmp_path / "labels.csv")


def test_false_discoveries() -> None:
    """The example of Benjamini and Hochberg (1995, section 3.2): four discoveries at .05."""
    p = np.array(
        [
            0.0001,
            0.0004,
            0.0019,
            0.0095,
            0.0201,
            0.0278,
            0.0298,
            0.0344,
            0.0459,
            0.3240,
            0.4262,
            0.5719,
            0.6528,
            0.7590,
            1,
        ]
    )
    assert (false_discovery_adjusted(p, 0.05) <= 0.05).sum() == 4
    assert len(false_discovery_adjusted(p[:0], 0.05)) == 0
    for fdr in (0, 1, -0.1, float("nan"), "0.1", True):
        with pytest.raises(ValueError, match="expected a false discovery rate between 0 and 1"):
            false_discovery_adjusted(p, fdr)  # type: ignore[arg-type]


def test_the_rate_of_false_discoveries_holds() -> None:
    """A fifth of 200 images is anomalous; the normal ones and the held-out ones are draws of one distribution."""
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(300):
        known = Calibration({"surprisal": torch.from_numpy(np.sort(rng.standard_normal(400)))})
        found = (
            false_discovery_adjusted(known.p_value(rng.standard_normal(200) + 4 * (np.arange(200) < 40)), 0.1) <= 0.1
        )
        wrong.append(found[40:].sum() / max(found.sum(), 1))
    assert 0.05 < np.mean(wrong) < 0.1


def test_the_detector_decides_by_the_rate_of_false_discoveries(model: Path, scans: Path, tmp_path: Path) -> None:
    detector: EntropixDetector = entropix.load(model)
    images = detector.read(scans, cache=False)
    adjusted = detector.p_value(images, fdr=0.2)
    assert (adjusted >= detector.p_value(images)).all()
    labels = detector.predict(images, fdr=0.2)
    np.testing.assert_array_equal(labels, np.where(adjusted <= 0.2, -1, 1))
    with pytest.raises(ValueError, match="alpha and fdr: give one"):
        detector.predict(images, alpha=0.1, fdr=0.1)
    result = entropix_cli("score", model, scans, "--out", tmp_path / "s.csv", "--fdr", 0.2, "--no-cache")
    assert f"{(labels == -1).sum()} of 24 images are anomalous (false discovery rate 0.2)" in result.stdout
    assert [row["anomalous"] == "yes" for row in rows_of(tmp_path / "s.csv")] == (labels == -1).tolist()
