"""Volumes in, scores and heat maps out, opened again with the reading libraries: geometry is identical."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from dicom_files import save_dicom
from nibabel.testing import data_path
from PIL import Image

import entropix
from entropix.data import Select, read
from entropix.data.formats._nifti_space import canonical, into_volume
from entropix.detector._detector import EntropixDetector
from entropix.detector._scorer import resize_map
from entropix.scoring import Calibration
from entropix.writers._heatmaps import write_heatmaps
from entropix.writers._volumes import aggregate, score_volumes, write_volume_scores


@pytest.fixture(scope="module")
def detector() -> EntropixDetector:
    images = entropix.datasets.phantoms(100, 1, image_size=16).images
    return entropix.fit(images, latent_dim=1, epochs=1, image_size=16, progress=False)


def maps_of(detector: EntropixDetector, images: entropix.data.ImageSet) -> list[np.ndarray]:
    return [
        resize_map(one, size) for one, size in zip(detector.surprise_maps(images), images.sizes.tolist(), strict=True)
    ]


def test_names_cannot_lead_out_of_the_folder(detector: EntropixDetector, tmp_path: Path) -> None:
    some = detector.read(entropix.datasets.phantoms(4, 1, image_size=16).images)
    names = ["../../up", "/etc/absolute", "//server/share", "scan.nii.gz#3"]
    some = replace(some, names=names, sizes=np.array([[8, 9]] * 4))
    write_heatmaps(tmp_path / "maps", detector, some)
    written = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))
    assert written == ["maps/etc/absolute.png", "maps/scan.nii.gz_3.png", "maps/server/share.png", "maps/up.png"]


def test_maps_of_one_name_do_not_replace_each_other(detector: EntropixDetector, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for name in ("a#1", "a#2", "a.dcm", "a"):
        save_dicom(tmp_path / "scans" / name, np.random.default_rng(0).integers(0, 255, (16, 16), dtype=np.uint8))
    images = detector.read(tmp_path / "scans")
    write_heatmaps(tmp_path / "maps", detector, images, dicom=["overlay"])
    assert sorted(path.name for path in (tmp_path / "maps" / "overlay").iterdir()) == [
        "a.dcm",
        "a.dcm.dcm",
        "a_1.dcm",
        "a_2.dcm",
    ]


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("name", ["anatomical.nii", "reoriented_anat_moved.nii", "example4d.nii.gz", "turned.nii.gz"])
def test_nifti_map_has_shape_and_affine_of_its_source(
    detector: EntropixDetector, tmp_path: Path, name: str, plane: str
) -> None:
    source = Path(data_path) / name
    if name == "turned.nii.gz":  # axes in another order and direction, oblique
        turn = np.array([[0, -2, 0.2, 9], [0.1, 0.2, 3, -7], [1.5, 0, 0, 4], [0, 0, 0, 1.0]])
        volume = np.random.default_rng(0).random((9, 12, 17), dtype=np.float32)
        source = tmp_path / name
        nibabel.save(nibabel.Nifti1Image(volume, turn), source)
    select = Select(axis=plane, component=0 if name == "example4d.nii.gz" else None, slices=(2, -2))
    images = detector.read(source, select=select)
    write_heatmaps(tmp_path / "maps", detector, images)
    original, result = nibabel.load(source), nibabel.load(tmp_path / "maps" / name)
    assert result.shape == original.shape[:3]
    assert result.get_data_dtype() == np.float32
    np.testing.assert_array_equal(result.affine, original.affine)
    for form in ("get_sform", "get_qform"):
        (theirs, their_code), (ours, our_code) = (getattr(one, form)(coded=True) for one in (original, result))
        assert our_code == their_code
        if theirs is not None:
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert result.header.get_xyzt_units() == original.header.get_xyzt_units()
    # the map of each slice lies where the slice was read from
    values = canonical(np.asarray(result.dataobj), result.affine)
    axis = ("sagittal", "coronal", "axial").index(plane)
    filled = np.flatnonzero(np.abs(np.moveaxis(values, axis, 0)).max((1, 2)))
    assert filled.tolist() == [origin.frame for origin in images.origins]
    for one, origin in zip(maps_of(detector, images), images.origins, strict=True):
        np.testing.assert_allclose(np.take(values, origin.frame, axis)[::-1, ::-1].T, one, rtol=1e-5)


def test_into_volume_undoes_decoding(rng: np.random.Generator) -> None:
    volume = rng.random((4, 5, 6), dtype=np.float32)
    affine = np.array([[0, 0, -1, 0], [2, 0, 0, 0], [0, -3, 0, 0], [0, 0, 0, 1.0]])
    turned = canonical(volume, affine)
    for axis, plane in enumerate(("sagittal", "coronal", "axial")):
        maps = {k: np.take(turned, k, axis)[::-1, ::-1].T for k in range(turned.shape[axis])}
        np.testing.assert_array_equal(into_volume(maps, volume.shape, affine, plane), volume)


def test_png_overlay_shows_image_and_map(
    detector: EntropixDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(stored).save(tmp_path / "a.png")
    level = detector.calibration_.threshold(0.05, "peak")
    hot = np.zeros((1, 16, 16), dtype=np.float32)
    hot[:, :8, 8:] = 2 * level
    explain = EntropixDetector.explain
    monkeypatch.setattr(EntropixDetector, "explain", lambda *args, **options: explain(*args, **options) | {"map": hot})
    write_heatmaps(tmp_path / "maps", detector, detector.read(tmp_path / "a.png"))
    with Image.open(tmp_path / "maps" / "a.png") as picture:
        seen = np.asarray(picture)
    assert seen.shape == (40, 40, 3)
    assert (seen[22:] == stored[22:, :, None]).all()  # where the map is 0: the image
    inside, top = seen[:18, 22:] / 255, np.array([0.988, 1.0, 0.645])  # the last colour of inferno
    np.testing.assert_allclose(inside, 0.3 * stored[:18, 22:, None] / 255 + 0.7 * top, atol=0.01)


def test_volume_scores(detector: EntropixDetector, tmp_path: Path) -> None:
    assert aggregate(np.arange(20.0)) == 18.5
    assert aggregate(np.array([3.0, 1.0])) == 3
    assert aggregate(np.arange(11.0)) == 9.5
    images = detector.read(Path(data_path) / "anatomical.nii")
    terms = detector.explain(images)
    scored = score_volumes(images, terms, Calibration({"surprisal": torch.tensor([0.0])}), 0.05)
    assert write_volume_scores(tmp_path / "v.csv", images, scored) == 1
    header, row = (tmp_path / "v.csv").read_text().splitlines()
    assert header == "volume,label,slices,surprisal,residual,p_value,anomalous,highest_slice,group"
    cells = row.split(",")
    assert cells[:3] == ["anatomical.nii", "", "25"]
    assert float(cells[3]) == pytest.approx(np.sort(terms["surprisal"])[-3:].mean())
    assert cells[5:7] == ["0.5", "yes"]  # one held-out volume tells no smaller rate
    assert cells[7:] == [images.names[int(terms["surprisal"].argmax())], "anatomical.nii"]
    (undecided,) = score_volumes(images, terms, None, 0.05)
    assert undecided.p_value is undecided.anomalous is None
    assert score_volumes(images.subset([0]), terms, None, 0.05) == []
    assert write_volume_scores(tmp_path / "none.csv", images, []) == 0
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize("size", [16, 37])
def test_png_dicom_and_nifti_of_one_image_score_the_same(detector: EntropixDetector, tmp_path: Path, size: int) -> None:
    image = (entropix.datasets.phantoms(1, 1, image_size=48).images[0, 0] * 255).astype(np.uint8)[:size, :]
    Image.fromarray(image).save(tmp_path / "a.png")
    save_dicom(tmp_path / "b.dcm", image)
    save_dicom(tmp_path / "c.dcm", 255 - image, PhotometricInterpretation="MONOCHROME1")
    nibabel.save(nibabel.Nifti1Image(image[::-1, ::-1].T[..., None], np.eye(4)), tmp_path / "d.nii.gz")
    images: Any = read(tmp_path, image_size=16)
    scores = detector.anomaly_score(images)
    assert len(scores) == 4
    np.testing.assert_allclose(scores, scores[0], atol=1e-4, rtol=0)
