"""Globs, BIDS entities and paths with * choose files; a choice that nothing matches says what there is."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

import entropix
from entropix.data import DataError, Select, read
from entropix.data._bids import entities, subject

IMAGE = np.arange(256, dtype=np.uint8).reshape(16, 16)


def png(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(IMAGE).save(path)


def volume(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(rng.integers(0, 900, (8, 8, 2)).astype(np.int16), np.eye(4)), path)


@pytest.fixture
def bids(tmp_path: Path, rng: np.random.Generator) -> Path:
    root = tmp_path / "bids"
    for name in ("01", "02"):
        anat = root / f"sub-{name}" / "ses-1" / "anat"
        for contrast in ("T1w", "FLAIR", "acq-hires_run-01_T1w"):
            volume(anat / f"sub-{name}_ses-1_{contrast}.nii.gz", rng)
        volume(root / "derivatives" / "lesion" / anat.relative_to(root) / f"sub-{name}_ses-1_T1w.nii.gz", rng)
        volume(root / "sourcedata" / f"sub-{name}" / "scan.nii.gz", rng)
        volume(anat / f"sub-{name}_ses-1_label-lesion_mask.nii.gz", rng)
    (root / "dataset_description.json").write_text('{"Name": "made up", "BIDSVersion": "1.10.0"}')
    return root


def files(source: object, **options: object) -> list[str]:
    images = read(source, image_size=8, cache=False, **options)  # type: ignore[arg-type]
    return sorted({Path(name.partition("#")[0]).name for name in images.names})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-01/anat/sub-01_T1w.nii.gz", {"sub": "01", "suffix": "T1w"}),
        ("sub-A_acq-hi+res_run-2_bold.nii", {"sub": "A", "acq": "hi+res", "run": "2", "suffix": "bold"}),
        ("BraTS-GLI-00000-000-t2f.nii.gz", {}),
        ("sub-01.nii.gz", {}),
        ("ses-1_sub-01_T1w.nii", {}),
    ],
)
def test_names(name: str, expected: dict[str, str]) -> None:
    assert entities(name) == expected
    assert subject(name) == (f"sub-{expected['sub']}" if expected else "")


def test_contrasts_are_not_mixed(bids: Path) -> None:
    with pytest.raises(
        DataError, match=r"several contrasts, .*: T1w \(4 files\), FLAIR \(2 files\)\. .*--select suffix=T1w"
    ):
        read(bids, cache=False)
    assert len(files(bids, select=Select(bids={"suffix": "*"}))) == 6
    told = entropix.inspect(bids, image_size=8, cache=False)
    assert told.series == {"T1w": 8, "FLAIR": 4}
    assert "several contrasts" in told.problem


def test_entities_choose(bids: Path) -> None:
    assert files(bids, select=Select.parse(["suffix=flair"])) == [
        "sub-01_ses-1_FLAIR.nii.gz",
        "sub-02_ses-1_FLAIR.nii.gz",
    ]
    one = files(bids, select=Select.parse(["suffix=T1w", "run=1", "sub=02"]))
    assert one == ["sub-02_ses-1_acq-hires_run-01_T1w.nii.gz"]
    assert files(bids, select=Select(series="FLAIR")) == files(bids, select=Select(bids={"suffix": "FLAIR"}))
    with pytest.raises(
        DataError, match=r"nothing matches --select suffix=PD; there is: suffix=T1w \(4\), suffix=FLAIR \(2"
    ):
        read(bids, select=Select(bids={"suffix": "PD"}), cache=False)
    with pytest.raises(DataError, match="bids has 'colour'; expected entities of BIDS: sub, ses"):
        Select(bids={"colour": "red"})
    with pytest.raises(DataError, match=r"--select 'colour=red'; expected axis=coronal.*suffix=T1w"):
        Select.parse(["colour=red"])


def test_channels_of_nnunet_are_not_mixed(tmp_path: Path, rng: np.random.Generator) -> None:
    """Those of one case are a group, of which none is trained on while another is held out."""
    for name in ("imagesTr/c_1_0000.nii.gz", "imagesTr/c_1_0001.nii.gz", "imagesTs/c_2_0000.nii.gz", "x_0003.nii.gz"):
        volume(tmp_path / name, rng)
    with pytest.raises(
        DataError, match=r"several contrasts, .*: 0000 \(2 files\), 0001 \(1 files\)\. .* suffix=0000\)"
    ):
        read(tmp_path, include="*", cache=False)
    first = ["c_1_0000.nii.gz", "c_2_0000.nii.gz"]
    assert files(tmp_path, include="*_0000.*") == files(tmp_path, select=Select(bids={"suffix": "0000"})) == first
    every = Select(bids={"suffix": "*"})
    assert list(dict.fromkeys(read(tmp_path, image_size=8, select=every, cache=False).groups)) == ["c_1", "c_2"]
    assert set(read(tmp_path / "imagesTr", image_size=8, select=every, cache=False).groups) == {"c_1"}


@pytest.mark.parametrize(
    ("names", "chosen", "groups"),
    [
        (["B_0/B_0_t1.nii.gz", "B_0/B_0_t1ce.nii.gz", "B_0/B_0_flair.nii.gz"], "B_0_flair.nii.gz", {"B_0"}),
        (["B-1-t1n.nii.gz", "B-1-t2f.nii.gz", "B-1-T2_FLAIR.nii.gz"], "B-1-T2_FLAIR.nii.gz", {"B-1"}),
        (["a/pre/T1.nii.gz", "a/pre/FLAIR.nii.gz"], "FLAIR.nii.gz", {"a/pre"}),
        (["flair.nii", "t1.nii.gz"], "flair.nii", {"case"}),
    ],
)
def test_contrasts_of_a_case_are_not_mixed(
    names: list[str], chosen: str, groups: set[str], tmp_path: Path, rng: np.random.Generator
) -> None:
    """As BraTS, IXI and others name volumes; those of a case are a group, and its mask is that of all of them."""
    root = tmp_path / "case"
    for name in names:
        volume(root / name, rng)
    for source in (root, [root / name for name in names]):
        with pytest.raises(DataError, match=r"several contrasts, by their names: .* Choose one with"):
            read(source, cache=False)
    assert files(root, select=Select.parse(["suffix=*FLAIR"])) == [chosen]
    assert files(root, select=Select(series="*flair")) == [chosen]
    images = read(root, image_size=8, select=Select(bids={"suffix": "*"}), cache=False)
    assert len({origin.series for origin in images.origins}) == len(names)
    assert set(images.groups) == groups


def test_points_in_time_are_no_contrasts(tmp_path: Path, rng: np.random.Generator) -> None:
    names = [f"x_t{time}.nii" for time in range(1, 5)]
    for name in names:
        volume(tmp_path / name, rng)
    assert files(tmp_path) == names


def test_the_subject_is_the_group(bids: Path) -> None:
    images = read(bids, image_size=8, select=Select(bids={"suffix": "*"}), cache=False)
    assert set(images.groups) == {"sub-01", "sub-02"}
    reasons = {name: reason for name, reason in images.passed_over if "/" not in name}
    assert reasons["derivatives"] == "derived from the images"
    assert reasons["sourcedata"] == "what the images were made of"


def test_globs(tmp_path: Path) -> None:
    for name in ("a/x_t1.png", "a/x_t2.png", "b/y_t1.png", "b/deep/z_t1.png"):
        png(tmp_path / name)
    (tmp_path / "b" / "broken.gif").write_bytes(b"GIF89a")
    assert files(tmp_path, include="*_t1.png", exclude="*.gif") == ["x_t1.png", "y_t1.png", "z_t1.png"]
    assert files(tmp_path, include=["a"]) == ["x_t1.png", "x_t2.png"]
    assert files(tmp_path, include="b/*", exclude=["deep*", "b/deep", "*.gif"]) == ["y_t1.png"]
    with pytest.raises(DataError, match=r"unreadable: b/broken\.gif"):
        read(tmp_path, include="b/*", cache=False)
    with pytest.raises(DataError, match=r"nothing matches --include \*.dcm; there is: .*x_t1.png"):
        read(tmp_path, include="*.dcm", cache=False)
    images = read(tmp_path, image_size=8, include="a", cache=False)
    assert ("b/y_t1.png", "left out by include") in images.passed_over
    with pytest.raises(TypeError, match="include=3; expected a glob"):
        read(tmp_path, include=3, cache=False)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="include and exclude choose files by their names; array"):
        read(np.zeros((4, 8, 8)), include="a")


def test_a_path_with_a_star(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "[3].png"):
        png(tmp_path / name)
    assert files(f"{tmp_path}/*.png") == ["1.png", "2.png", "[3].png"]
    png(tmp_path / "1_mask.png")
    assert files(f"{tmp_path}/*.png") == ["1.png", "2.png", "[3].png"]
    told = read(f"{tmp_path}/*.png", cache=False).passed_over
    assert told == [((tmp_path / "1_mask.png").as_posix(), "a mask, by its name")]
    assert files(f"{tmp_path}/*_mask.png") == ["1_mask.png"]
    with pytest.raises(DataError, match="no file matches"):
        read(f"{tmp_path}/*.dcm", cache=False)


def test_a_series_of_files_without_one_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    volume(tmp_path / "scan.nii.gz", rng)
    png(tmp_path / "a.png")
    match = r"nothing matches --select series=T1; there is: a PNG.* file, which has no series \(1\), a NIfTI file whose"
    with pytest.raises(DataError, match=match):
        read(tmp_path, select=Select(series="T1"), cache=False)


@pytest.mark.parametrize("folder", [".", "train"])
def test_files_beside_folders_of_classes_are_told(folder: str, tmp_path: Path) -> None:
    for name in ("normal/a.png", "sick/b.png", "c.png"):
        png(tmp_path / folder / name)
    images = read(tmp_path, split="train", image_size=8, cache=False)
    name = (Path(folder) / "c.png").as_posix()
    assert [Path(one).name for one in images.names] == ["a.png"]
    assert images.passed_over == [(name, "beside the folders of classes")]
