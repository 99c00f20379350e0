"""Masks belong to the images that their names and folders say, and are read in the geometry of these."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicom_files import save_dicom
from PIL import Image

from entropix.data import DataError, Select, read, read_mask
from entropix.scoring import locate

SHAPE = (12, 10, 6)


def volume(path: Path, values: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine), path)


def png(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.mark.parametrize(
    ("image", "masks", "expected"),
    [
        ("p/B-0-t2f.nii.gz", ["p/B-0-seg.nii.gz", "p/B-00-seg.nii.gz"], ["p/B-0-seg.nii.gz"]),
        ("imagesTr/c_000_0000.nii", ["labelsTr/c_000.nii", "labelsTr/c_001.nii"], ["labelsTr/c_000.nii"]),
        ("images/a.png", ["masks/a.png", "masks/b.png"], ["masks/a.png"]),
        ("x/images/a.png", ["y/masks/a.png"], []),
        ("images/test/0.png", ["labels/train/0.png", "labels/test/0.png"], ["labels/test/0.png"]),
        ("imagesTs/c_0000.nii", ["labelsTr/c.nii"], []),
        ("a (1).png", ["a (1)_mask.png", "a (1)_mask_1.png"], ["a (1)_mask.png", "a (1)_mask_1.png"]),
        ("c/image_1.png", ["c/mask_1.png", "c/mask_2.png"], ["c/mask_1.png"]),
        ("c/photo.jpg", ["c/label.png"], ["c/label.png"]),
        ("c/flair.nii.gz", ["c/seg.nii.gz", "d/seg.nii.gz"], ["c/seg.nii.gz"]),
        ("c/scan.nii.gz", ["c/gt.nii.gz", "c/scan_mask.nii.gz"], ["c/scan_mask.nii.gz"]),
        ("test/cut/0.png", ["ground_truth/cut/0_mask.png", "ground_truth/b/0.png"], ["ground_truth/cut/0_mask.png"]),
        (
            "sub-01/anat/sub-01_acq-a_T1w.nii.gz",
            [
                "derivatives/x/sub-01/anat/sub-01_label-lesion_mask.nii.gz",
                "derivatives/x/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
                "derivatives/x/sub-01/anat/sub-01_acq-b_label-lesion_mask.nii.gz",
                "derivatives/x/sub-02/anat/sub-02_label-lesion_mask.nii.gz",
            ],
            ["derivatives/x/sub-01/anat/sub-01_label-lesion_mask.nii.gz"],
        ),
    ],
)  # fmt: skip
def test_pairs(image: str, masks: list[str], expected: list[str], tmp_path: Path, rng: np.random.Generator) -> None:
    for name in (image, *masks):
        if name.endswith((".png", ".jpg")):
            png(tmp_path / name, rng.integers(0, 256, (16, 16), dtype=np.uint8))
        else:
            volume(tmp_path / name, rng.integers(0, 900, SHAPE).astype(np.int16))
    images = read(tmp_path, split="test", image_size=8, cache=False)
    assert {origin.path for origin in images.origins} == {tmp_path / image}
    assert list(images.masks.get(tmp_path / image, ())) == [tmp_path / name for name in expected]


def test_the_mask_of_one_image_is_not_that_of_another(tmp_path: Path, rng: np.random.Generator) -> None:
    for name in ("a.png", "a_b.png", "a_mask.png"):
        png(tmp_path / name, rng.integers(0, 256, (16, 16), dtype=np.uint8))
    images = read(tmp_path, image_size=8, cache=False)
    assert images.names == ["a.png", "a_b.png"]
    assert set(images.masks) == {tmp_path / "a.png"}


@pytest.mark.parametrize(
    ("images", "mask"),
    [
        (["1.dcm", "2.dcm", "3.dcm"], "mask.png"),
        (["a.png", "b.png"], "label.png"),
        (["images/scan_1.png", "images/scan_2.png"], "masks/scan.png"),
        (["images/1.png", "images/2.png"], "masks/mask.png"),
        (["p1.nii.gz", "p2.nii.gz"], "seg.nii.gz"),  # in a space that all share, such as MNI152
    ],
)
def test_a_mask_is_of_one_image(images: list[str], mask: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """One picture for a whole series is not the mask of each slice."""
    for name in (*images, mask):
        values = rng.integers(0, 250, (16, 16), dtype=np.uint8)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if name.endswith(".dcm"):
            save_dicom(tmp_path / name, values, SeriesInstanceUID="1.2.3", StudyInstanceUID="1.2", PatientID="1")
        elif name.endswith(".png"):
            png(tmp_path / name, values)
        else:
            volume(tmp_path / name, rng.integers(0, 900, SHAPE).astype(np.int16))
    found = read(tmp_path, image_size=8, cache=False)
    assert found.masks == {}
    ((told, reason),) = [entry for entry in found.passed_over if "not used" in entry[1]]
    assert told.endswith(mask)
    assert reason.startswith(f"a mask, not used: any of {len(images)} images may be its own; expected one for each")
    (unusable,) = locate(found, lambda some: np.zeros(some.pixels.shape[:1] + some.pixels.shape[2:])).unusable
    assert unusable == (told, reason.removeprefix("a mask, not used: "))
    alone = read(tmp_path, image_size=8, include=Path(images[0]).name, cache=False)
    assert alone.masks == {tmp_path / images[0]: (tmp_path / mask,)}


@pytest.mark.parametrize(
    ("images", "mask"),
    [
        (["B_0_t1.nii.gz", "B_0_flair.nii.gz"], "B_0_seg.nii.gz"),
        (["p/T1.nii.gz", "p/FLAIR.nii.gz"], "p/seg.nii.gz"),
        (["imagesTr/c_0000.nii.gz", "imagesTr/c_0001.nii.gz"], "labelsTr/c.nii.gz"),
    ],
)
def test_a_mask_is_of_all_contrasts_of_its_case(
    images: list[str], mask: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    for name in (*images, mask):
        volume(tmp_path / name, rng.integers(0, 900, SHAPE).astype(np.int16))
    found = read(tmp_path, image_size=8, select=Select(bids={"suffix": "*"}), cache=False)
    assert found.masks == {tmp_path / name: (tmp_path / mask,) for name in images}


@pytest.mark.parametrize(("pages", "told"), [((3, 1), "m one image, i several"), ((1, 3), "m several, i one image")])
def test_a_mask_has_as_many_pages_as_its_image(
    pages: tuple[int, int], told: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    for name, count in zip(("a.tif", "a_mask.tif"), pages, strict=True):
        first, *others = (Image.fromarray(page) for page in rng.integers(0, 256, (count, 16, 16), dtype=np.uint8))
        first.save(tmp_path / name, save_all=True, append_images=others)
    images = read(tmp_path, image_size=8, cache=False)
    expected = told.replace("m ", r"a_mask\.tif holds ").replace("i ", r"a\.tif ")
    with pytest.raises(DataError, match=f"{expected}; expected as many in both"):
        read_mask(images, range(len(images)))


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_a_mask_lies_where_the_image_is_bright(axis: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """Image and mask stored in different orientations."""
    marked = np.zeros(SHAPE, np.int16)
    marked[2:5, 6:9, 1:3] = 4
    bright = (rng.integers(0, 100, SHAPE) + 800 * (marked > 0)).astype(np.int16)
    volume(tmp_path / "a.nii.gz", bright)
    volume(
        tmp_path / "a_seg.nii.gz", marked[::-1], np.diag([-1.0, 1, 1, 1]) + 11 * np.eye(4)[0][:, None] * np.eye(4)[3]
    )
    images = read(tmp_path, image_size=12, select=Select(axis=axis), cache=False)
    mask = read_mask(images, range(len(images)))
    assert mask.shape[1:] == tuple(images.sizes[0])
    for i in range(len(images)):
        seen = read(tmp_path, image_size=12, select=Select(axis=axis), cache=False).pixels[i, 0].numpy()
        rows, columns = np.nonzero(mask[i])
        if len(rows):
            height, width = mask.shape[1:]
            middle = seen[int((rows.mean() + 0.5) * 12 / height), int((columns.mean() + 0.5) * 12 / width)]
            assert middle > 0.9
    assert mask.sum() == (marked > 0).sum()


def test_a_mask_of_another_size_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    png(tmp_path / "images" / "a.png", rng.integers(0, 256, (16, 16), dtype=np.uint8))
    png(tmp_path / "masks" / "a.png", np.eye(8, dtype=np.uint8))
    images = read(tmp_path, image_size=8, cache=False)
    with pytest.raises(DataError, match=r"a\.png has 8 x 8 pixels, the image 16 x 16"):
        read_mask(images, [0])


@pytest.mark.parametrize("others", [[], ["lesion_1.png"]])
def test_whole_names_are_those_of_masks_beside_images(others: list[str], tmp_path: Path) -> None:
    """Alone they are pictures; a numbered lesion is one in any company."""
    for name in ("mask_1.png", "label.png", *others):
        png(tmp_path / name, np.arange(64, dtype=np.uint8).reshape(8, 8))
    names = read(tmp_path, image_size=8, cache=False).names
    assert names == (others or ["label.png", "mask_1.png"])


@pytest.mark.parametrize("image", ["a.nii.gz", "a.dcm", "a"])
@pytest.mark.parametrize("mask", ["mask.png", "a_mask.png"])
def test_pictures_of_masks_beside_images_of_another_format(
    image: str, mask: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    values = rng.integers(0, 250, (16, 16), dtype=np.uint8)
    if image == "a.nii.gz":
        volume(tmp_path / image, rng.integers(0, 900, SHAPE).astype(np.int16))
    else:
        save_dicom(tmp_path / image, values)
    png(tmp_path / mask, np.where(values > 200, 255, 0).astype(np.uint8))
    images = read(tmp_path, image_size=8, cache=False)
    assert {origin.path for origin in images.origins} == {tmp_path / image}
    assert images.masks == {tmp_path / image: (tmp_path / mask,)}
    assert images.passed_over == [(mask, "a mask, by its name")]


@pytest.mark.parametrize("name", ["lesion.png", "roi.png"])
def test_a_picture_of_a_lesion_is_an_image_unless_it_looks_like_a_mask(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    values = rng.integers(0, 250, (16, 16), dtype=np.uint8)
    png(tmp_path / "image.png", values)
    png(tmp_path / name, values[::-1])
    assert read(tmp_path, image_size=8, cache=False).names == ["image.png", name]
    png(tmp_path / name, np.where(values > 200, 255, 0).astype(np.uint8))
    assert read(tmp_path, image_size=8, cache=False).masks == {tmp_path / "image.png": (tmp_path / name,)}


@pytest.mark.parametrize(
    ("names", "images", "used"),
    [
        (["a_LesionSmooth.nii.gz"], ["a.nii.gz", "b.nii.gz"], {"a.nii.gz": "a_LesionSmooth.nii.gz"}),
        (["a_LesionSmooth.nii.gz", "a_seg.nii.gz"], ["a.nii.gz"], {"a.nii.gz": "a_seg.nii.gz"}),
        (["sub-01_T1w-tumour.nii"], ["sub-01_T1w.nii"], {"sub-01_T1w.nii": "sub-01_T1w-tumour.nii"}),
        (["atlas.nii", "a_pveseg.nii", "b_core.nii"], ["a.nii"], {}),  # of none, of tissue, of another
    ],
)
def test_masks_by_their_content_are_used(
    names: list[str], images: list[str], used: dict[str, str], tmp_path: Path, rng: np.random.Generator
) -> None:
    for name in images:
        volume(tmp_path / "x" / name, rng.integers(0, 900, SHAPE).astype(np.int16))
    for name in names:
        volume(tmp_path / "x" / name, (rng.random(SHAPE) < 0.1).astype(np.int16))
    for _ in range(2):  # decoded, and from the cache
        found = read(tmp_path / "x", image_size=8, cache=tmp_path / "cache")
        assert sorted({origin.path.name for origin in found.origins if origin.path}) == images
        assert {image.name: mask.name for image, (mask,) in found.masks.items()} == used
    assert {name for name, _ in found.passed_over} == set(names)


def test_a_mask_of_the_brain_is_no_truth(tmp_path: Path, rng: np.random.Generator) -> None:
    """As FSL's bet writes them."""
    volume(tmp_path / "T1_brain.nii.gz", rng.integers(0, 900, SHAPE).astype(np.int16))
    volume(tmp_path / "T1_brain_mask.nii.gz", (rng.random(SHAPE) < 0.4).astype(np.int16))
    images = read(tmp_path, image_size=8, cache=False)
    assert {origin.path for origin in images.origins} == {tmp_path / "T1_brain.nii.gz"}
    assert images.masks == {}


TURNED = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, 3, 1], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("affine", "reason"),
    [
        (np.eye(4), r"has 12 x 10 x 6 voxels \(to the right, front, head\), the image 10 x 12 x 6"),
        (TURNED + np.diag([0, 0, 0.6, 0]), "elsewhere than its image, by up to 1 of its voxels"),
        (TURNED * [1, 1, -1, 1], "lies elsewhere"),
        (TURNED + np.eye(4)[3] * [[0], [0], [1], [0]], "lies elsewhere"),
        (TURNED + 1e-4, ""),
    ],
)
def test_voxels_of_masks_are_those_of_their_images(
    affine: np.ndarray, reason: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    volume(tmp_path / "a.nii.gz", rng.integers(0, 900, SHAPE).astype(np.int16), TURNED)
    volume(tmp_path / "a_seg.nii.gz", rng.integers(0, 2, SHAPE).astype(np.int16), affine)
    images = read(tmp_path, image_size=8, cache=False)
    if reason:
        with pytest.raises(DataError, match=reason):
            read_mask(images, range(len(images)))
    else:
        assert read_mask(images, range(len(images))).any()


def test_masks_of_another_kind_of_file_are_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    """A picture has no place in the patient, so it is not known which way it lies on a volume, nor on which slice."""
    volume(tmp_path / "images" / "a.nii.gz", rng.integers(0, 900, SHAPE).astype(np.int16))
    png(tmp_path / "masks" / "a.png", np.eye(12, 10, dtype=np.uint8))
    images = read(tmp_path, image_size=8, cache=False)
    with pytest.raises(DataError, match=r"one of a\.png and its image is a volume"):
        read_mask(images, range(len(images)))
