"""The command line on volumes: inspect, fit of selected slices, scores per slice and volume, identifiers."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from command_line import entropix_cli
from dicom_files import save_dicom

import entropix
from entropix.data import DataError, Select


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten NIfTI volumes of twelve slices, and a mask beside one."""
    root = tmp_path_factory.mktemp("scans")
    images = (entropix.datasets.phantoms(120, 3, image_size=24).images[:, 0] * 800).astype(np.int16)
    for i in range(10):
        volume = np.ascontiguousarray(images[12 * i : 12 * (i + 1), ::-1, ::-1].transpose(2, 1, 0))
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 1, 3, 1])), root / f"p{i}.nii.gz")
    nibabel.save(nibabel.Nifti1Image((volume > 400).astype(np.uint8), np.eye(4)), root / "p0_seg.nii.gz")
    return root


@pytest.fixture(scope="module")
def model(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "m"
    fast = ("--image-size", 16, "--epochs", 1, "--latent-dim", 2)
    result = entropix_cli("fit", scans, "--out", out, *fast, "--select", "slices=1:-1", "--no-cache", "--json")
    settings = json.loads(result.stdout)["settings"]
    assert settings["n_images"] == 100
    chosen = {"axis": "axial", "slices": [1, -1], "component": None, "series": None, "bids": {}}
    assert settings["select"] == chosen
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_inspect(scans: Path) -> None:
    document = json.loads(entropix_cli("inspect", scans, "--image-size", 16, "--json").stdout)
    assert document["counts"]["n_volumes"] == 10
    assert document["counts"]["n_images"] == 120
    assert document["kinds"] == {"NIfTI": 120}
    assert "intrinsic dimension" in entropix_cli("inspect", scans, "--image-size", 16).stdout
    assert "slices=3" in entropix_cli("inspect", scans, "--select", "slices=3", code=1).stderr


def test_scores_of_volumes_and_their_maps(model: Path, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    result = entropix_cli("score", model, scans, "--out", out, "--heatmaps", tmp_path / "maps", "--json")
    document = json.loads(result.stdout)
    assert document["n"] == 100  # the slices of the fit, without being told
    assert document["n_volumes"] == 10
    of_volumes = rows(tmp_path / "s.volumes.csv")
    assert [row["volume"] for row in of_volumes] == [f"p{i}.nii.gz" for i in range(10)]
    slices = [float(row["surprisal"]) for row in rows(out) if row["volume"] == "p3.nii.gz"]
    assert float(of_volumes[3]["surprisal"]) == pytest.approx(max(slices), rel=1e-5)  # a tenth of ten slices
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [f"p{i}.nii.gz" for i in range(10)]
    again = entropix_cli("score", model, scans, "--out", tmp_path / "s2.csv", "--select", "slices=4:6", "--json")
    assert json.loads(again.stdout)["n"] == 20
    assert "--overwrite" in entropix_cli("score", model, scans, "--out", out, code=1).stderr


def test_identifiers_only_on_request(model: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "scans").mkdir()
    for i in range(3):
        image = rng.integers(0, 255, (16, 16), dtype=np.uint8)
        where = {"ImagePositionPatient": [0, 0, i], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        ids = {"PatientID": "Doe4711", "PatientName": "Doe^Jane", "SeriesInstanceUID": "1.2.34567"}
        save_dicom(tmp_path / "scans" / f"{i}.dcm", image, **where, **ids)
    for name, options in (("hidden", ()), ("kept", ("--keep-ids",))):
        arguments = ("--out", tmp_path / name / "s.csv", "--heatmaps", tmp_path / name / "maps", *options)
        shown = entropix_cli("score", model, tmp_path / "scans", *arguments)
        written = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        assert len(written) == 2 + 2 * 3  # tables, an overlay and a map of each
        everything = b"".join(path.read_bytes() for path in written) + (shown.stdout + shown.stderr).encode()
        assert (b"Doe4711" in everything) == (name == "kept")
        assert (b"Doe^Jane" in everything) == (name == "kept")
        tables = b"".join(path.read_bytes() for path in written if path.suffix == ".csv")
        assert (b"1.2.34567" in tables) == (name == "kept")


def test_prepare(tmp_path: Path) -> None:
    refused = entropix_cli("prepare", "rsna", tmp_path, tmp_path / "out", code=1)
    assert "expected the set as published" in refused.stderr
    assert "expected one of rsna" in entropix_cli("prepare", "mnist", tmp_path, tmp_path / "out", code=1).stderr


def test_selections_are_read() -> None:
    texts = ["axis=coronal", "slices=3:-2", "component=1", "series=T1*"]
    assert Select.parse(texts) == Select("coronal", (3, -2), 1, "T1*")
    assert Select.parse(texts).texts() == texts
    assert Select.parse([]) == Select()
    assert Select().texts() == []
    assert Select.parse(["slices=:9"]).slices == (None, 9)
    for wrong in ("axis", "plane=axial", "slices=3", "component=x", "axis=oblique"):
        with pytest.raises(DataError, match=r"expected (axis=coronal|one of)"):
            Select.parse([wrong])
