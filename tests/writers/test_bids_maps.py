"""A BIDS data set is scored: maps come out as a derivative of it, and are judged by the masks in it."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import entropix
from entropix.data import Select
from entropix.scoring import locate
from entropix.writers import write_heatmaps, write_located

SHAPE = (24, 20, 6)
AFFINE = np.diag([-2.0, 2, 3, 1])


@pytest.fixture(scope="module")
def detector() -> entropix.EntropixDetector:
    normal = (entropix.datasets.phantoms(100, factors=2, image_size=16).images[:, 0] * 255).astype(np.uint8)
    return entropix.fit(normal, latent_dim=2, image_size=16, epochs=1, progress=False)


@pytest.fixture
def bids(tmp_path: Path, rng: np.random.Generator) -> Path:
    for subject in ("sub-01", "sub-02"):
        anat = tmp_path / "ds" / subject / "anat"
        anat.mkdir(parents=True)
        for contrast in ("T1w", "FLAIR"):
            values = rng.integers(0, 900, SHAPE).astype(np.int16)
            nibabel.save(nibabel.Nifti1Image(values, AFFINE), anat / f"{subject}_run-1_{contrast}.nii.gz")
    lesion = np.zeros(SHAPE, np.uint8)
    lesion[4:9, 4:9, 1:4] = 1
    lesion[15:18, 12:16, 3:5] = 2
    masks = tmp_path / "ds" / "derivatives" / "manual" / "sub-01" / "anat"
    masks.mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(lesion, AFFINE), masks / "sub-01_label-lesion_mask.nii.gz")
    return tmp_path / "ds"


def test_maps_are_a_derivative(detector: entropix.EntropixDetector, bids: Path) -> None:
    out = bids / "derivatives" / "entropix"
    images = detector.read(bids, select=Select(bids={"suffix": "*"}), cache=False)
    write_heatmaps(out, detector, images)
    about = json.loads((out / "dataset_description.json").read_text())
    assert (about["DatasetType"], about["GeneratedBy"][0]["Name"]) == ("derivative", "entropix")
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.nii.gz"))
    pairs = [(i, contrast) for i in ("01", "02") for contrast in ("FLAIR", "T1w")]
    names = [f"sub-{i}/anat/sub-{i}_run-1_mod-{contrast}_desc-anomaly_map.nii.gz" for i, contrast in pairs]
    assert found == names
    tops = set()
    for name in names:
        image = nibabel.load(out / name)
        np.testing.assert_allclose(image.affine, AFFINE)
        assert image.header["descrip"].item() == b"entropix anomaly map, nats per pixel"
        tops.add(float(image.header["cal_max"]))
        facts = json.loads((out / name.replace(".nii.gz", ".json")).read_text())
        assert facts["Sources"][0].startswith(f"bids:raw:{name.partition('_')[0]}")
    assert len(tops) == 1
    assert tops.pop() > 0
    again = detector.read(bids, select=Select(bids={"suffix": "*"}), cache=False)
    assert again.names == images.names  # results beside the images are not images


@pytest.mark.skipif(shutil.which("bids-validator-deno") is None, reason="needs bids-validator-deno: the extra dev")
def test_the_bids_validator_finds_no_error(detector: entropix.EntropixDetector, bids: Path) -> None:
    """Neither in the derivative alone, nor in the data set around it."""
    (bids / "dataset_description.json").write_text('{"Name": "made up", "BIDSVersion": "1.10.0"}')
    shutil.rmtree(bids / "derivatives")
    images = detector.read(bids, select=Select(bids={"suffix": "FLAIR"}), cache=False)
    write_heatmaps(bids / "derivatives" / "entropix", detector, images)
    for folder in (bids / "derivatives" / "entropix", bids):
        command = ["bids-validator-deno", str(folder), "--format", "json"]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
        assert [one for one in told["issues"]["issues"] if one["severity"] == "error"] == []
        assert {one["code"] for one in told["issues"]["issues"]} >= {"TOO_FEW_AUTHORS"}  # it has looked


def test_maps_against_masks(detector: entropix.EntropixDetector, bids: Path, tmp_path: Path) -> None:
    """The same average precision as of the written volume and the mask, by scikit-learn."""
    images = detector.read(bids, select=Select(bids={"suffix": "FLAIR"}), cache=False)
    located = locate(images, detector.surprise_maps)
    (row,) = located.rows
    assert (row["path"], row["voxels"], row["regions"]) == ("sub-01/anat/sub-01_run-1_FLAIR.nii.gz", 24 * 20 * 6, 2)
    assert located.overall == {name: row[name] for name in row if name != "path"}
    write_heatmaps(tmp_path / "maps", detector, images)
    heat = nibabel.load(tmp_path / "maps/sub-01/anat/sub-01_run-1_mod-FLAIR_desc-anomaly_map.nii.gz").get_fdata()
    (mask,) = images.masks[bids / "sub-01/anat/sub-01_run-1_FLAIR.nii.gz"]
    truth = nibabel.load(mask).get_fdata() > 0
    assert row["ap"] == pytest.approx(average_precision_score(truth.ravel(), heat.ravel()), abs=2e-3)
    write_located(tmp_path / "masks.csv", located)
    (written,) = csv.DictReader((tmp_path / "masks.csv").read_text().splitlines())
    assert float(written["best_dice"]) == row["best_dice"]


def test_a_mask_that_does_not_fit_is_named(detector: entropix.EntropixDetector, bids: Path) -> None:
    images = detector.read(bids, select=Select(bids={"suffix": "FLAIR"}), cache=False)
    (mask,) = next(iter(images.masks.values()))
    nibabel.save(nibabel.Nifti1Image(np.ones((8, 8, 6), np.uint8), AFFINE), mask)
    located = locate(images, detector.surprise_maps)
    assert (located.rows, located.overall) == ([], {})
    assert (
        located.unusable[0][1]
        == "sub-01_label-lesion_mask.nii.gz has 8 x 8 x 6 voxels (to the right, front, head), the image 24 x 20 x 6"
    )
