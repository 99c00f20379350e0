"""NRRD as 3D Slicer writes it: the same images as of a NIfTI file, lying the same way, with masks and heat maps."""

import bz2
import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from entropix.data import DataError, Select, read, read_mask
from entropix.data.formats import FileMaps, HeatMap, MapFolder, format_of

nrrd = pytest.importorskip("nrrd")
SHAPE = (12, 10, 6)
# Of the stored axes: the first goes down, the second to the left, the third to the back; in RAS.
AFFINE = np.array([[0, -2.0, 0, 9], [0, 0, -1.5, 7], [-3.0, 0, 0, 5], [0, 0, 0, 1]])
SIGNS = {"right-anterior-superior": (1, 1, 1), "LPS": (-1, -1, 1), "left-anterior-superior": (-1, 1, 1)}


def save(path: Path, values: np.ndarray, space: str = "LPS", **more: Any) -> None:
    placed = AFFINE[:3] * np.array(SIGNS[space])[:, None]
    facts = {"space": space, "space directions": placed[:, :3].T, "space origin": placed[:, 3]}
    nrrd.write(str(path), values, facts | more)


@pytest.fixture
def values(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 900, SHAPE).astype(np.int16)


@pytest.mark.parametrize("space", SIGNS)
@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_the_same_as_nifti(space: str, encoding: str, tmp_path: Path, values: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / "a.nii")
    save(tmp_path / "b.nrrd", values, space, encoding=encoding)
    for axis in ("axial", "coronal", "sagittal"):
        expected, found = (
            read(tmp_path / name, image_size=16, select=Select(axis=axis), cache=False) for name in ("a.nii", "b.nrrd")
        )
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert found.sizes.tolist() == expected.sizes.tolist()
    assert {origin.kind for origin in found.origins} == {"NRRD"}


@pytest.mark.parametrize("dtype", ["uint8", "int8", ">i2", "uint32", "int64", "float32", "float64"])
def test_types(dtype: str, tmp_path: Path, values: np.ndarray) -> None:
    save(tmp_path / "a.nrrd", (values % 100).astype(dtype))
    save(tmp_path / "b.nrrd", (values % 100).astype(np.int16))
    a, b = (read(tmp_path / name, image_size=8, cache=False).pixels for name in ("a.nrrd", "b.nrrd"))
    np.testing.assert_allclose(a, (values % 100).max() / 255 * b if dtype == "uint8" else b, atol=6e-3)


def test_channels_are_components(tmp_path: Path, values: np.ndarray) -> None:
    placed = np.vstack([np.full((1, 3), np.nan), (AFFINE[:3] * np.array(SIGNS["LPS"])[:, None])[:, :3].T])
    save(tmp_path / "a.nrrd", np.stack([values, values[::-1]]), **{"space directions": placed})
    save(tmp_path / "b.nrrd", values[::-1])
    with pytest.raises(DataError, match="choose one of its 2 volumes"):
        read(tmp_path / "a.nrrd", cache=False)
    a = read(tmp_path / "a.nrrd", image_size=8, select=Select(component=1), cache=False)
    np.testing.assert_array_equal(a.pixels, read(tmp_path / "b.nrrd", image_size=8, cache=False).pixels)


def test_masks_and_maps(tmp_path: Path, values: np.ndarray) -> None:
    marked = np.zeros(SHAPE, np.uint8)
    marked[2:5, 6:9, 1:3] = 1
    save(tmp_path / "a.nrrd", (values // 10 + 800 * marked.astype(np.int16)).astype(np.int16))
    save(tmp_path / "a.seg.nrrd", marked)
    images = read(tmp_path, cache=False)
    assert {origin.path for origin in images.origins} == {tmp_path / "a.nrrd"}
    mask = read_mask(images, range(len(images)))
    assert mask.sum() == marked.sum()
    maps = [HeatMap(f"a.nrrd#{i}", i, one.astype(np.float32), one.shape, 0, 1) for i, one in enumerate(mask)]
    folder = MapFolder(tmp_path / "maps", 1, 0.05, 1, True, Select(), False, ())
    format_of(tmp_path / "a.nrrd").write_maps(folder, [FileMaps(tmp_path / "a.nrrd", maps)])
    made = nibabel.load(tmp_path / "maps" / "a.nrrd.nii.gz")
    np.testing.assert_array_equal(made.get_fdata(), marked)
    np.testing.assert_allclose(made.affine, AFFINE)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("space: left-posterior-superior", "space: scanner-xyz", "does not say how three axes lie"),
        ("sizes: 12 10 6", "sizes: 99999 99999 99", "header claims 989980200099 values"),
        ("sizes: 12 10 6", "size: 12 10 6", "an NRRD header without sizes"),
        ("sizes: 12 10 6", "sizes: 12 10 7", "Size of the data does not equal"),
        ("encoding: gzip", "data file: /etc/passwd\nencoding: gzip", "values lie in another file"),
        ("encoding: gzip", "encoding: hex", "in the encoding 'hex'"),
    ],
)
def test_what_is_refused(old: str, new: str, reason: str, tmp_path: Path, values: np.ndarray) -> None:
    save(tmp_path / "a.nrrd", values, "LPS", encoding="gzip")
    head, _, content = (tmp_path / "a.nrrd").read_bytes().partition(b"\n\n")
    head = head.replace(b"space: LPS", b"space: left-posterior-superior")
    assert old.encode() in head
    (tmp_path / "a.nrrd").write_bytes(head.replace(old.encode(), new.encode()) + b"\n\n" + content)
    with pytest.raises(DataError, match=reason):
        read(tmp_path / "a.nrrd", cache=False)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_no_more_is_unpacked_than_the_header_says(pack: Any, tmp_path: Path, values: np.ndarray) -> None:
    from entropix.data.formats._nrrd import _unpacked

    encoding = {gzip.compress: "gzip", bz2.compress: "bzip2"}[pack]
    assert len(_unpacked(pack(bytes(10**7)), {"sizes": [10, 10], "encoding": encoding})) <= 800


def test_without_pynrrd(tmp_path: Path, values: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.nrrd", values)
    monkeypatch.setitem(__import__("sys").modules, "nrrd", None)
    with pytest.raises(DataError, match=r"needs pynrrd: run `pip install .*\[nrrd\].*or convert it to NIfTI"):
        read(tmp_path / "a.nrrd", cache=False)
