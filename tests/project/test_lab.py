"""Thirty made-up people, two contrasts, masks and two commands: groups, maps, masks and decisions are right.

As a BIDS data set and as nnU-Net has it. People 0 to 21 are normal and fitted to, 22 to 25 normal, and 26 to 29 have
a lesion; their slices belong together. Volumes are stored from left to right, masks from right to left.

    pytest -m slow -s tests/project/test_lab.py    # prints the numbers
"""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from command_line import entropix_cli

from entropix.datasets._phantoms import render

PEOPLE, FITTED, NORMAL = 30, 22, 26
SLICES, SIDE, FACTORS = 10, 48, 5
AFFINE = np.array([[-2.0, 0, 0, 47], [0, 2, 0, -47], [0, 0, 4, 0], [0, 0, 0, 1]])
TURNED = np.array([[2.0, 0, 0, -47], [0, 2, 0, -47], [0, 0, 4, 0], [0, 0, 0, 1]])
CONTRASTS = ("T1w", "FLAIR")


def person(number: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Volumes (SIDE, SIDE, SLICES) of both contrasts, and where the lesion is."""
    rng = np.random.default_rng(number)
    factors = rng.uniform(-1, 1, FACTORS).repeat(SLICES).reshape(FACTORS, SLICES).T
    factors[:, 0] = factors[:, 0] / 2 - np.linspace(-1, 1, SLICES) ** 2 / 2  # heads are largest in the middle
    images, brain = render(factors, SIDE)
    images = images[:, 0] + 0.01 * rng.standard_normal(images[:, 0].shape)
    lesion = np.zeros(images.shape, bool)
    if number >= NORMAL:
        at = rng.uniform([3, 20, 18], [6, 28, 30])
        z, y, x = np.indices(images.shape)
        lesion = ((z - at[0]) / 1.6) ** 2 + ((y - at[1]) / 4) ** 2 + ((x - at[2]) / 4) ** 2 < 1
        lesion &= brain
    flair = images + 0.3 * lesion
    turn = (2, 1, 0)  # of slices (z, y, x) with y down, to (x, y, z) with y to the front
    found = {"T1w": (brain * (1 - images)) - 0.2 * lesion, "FLAIR": flair}
    volumes = {name: (1000 * np.clip(v, 0, 1.5)).astype(np.int16).transpose(turn)[:, ::-1] for name, v in found.items()}
    return volumes, lesion.transpose(turn)[:, ::-1]


def save(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


def bids(root: Path) -> tuple[list[str], list[str], Callable[[int], str]]:
    """The data set; the choice of what is fitted and of what is scored, and the name of a person's scored volume."""
    for i in range(PEOPLE):
        volumes, lesion = person(i)
        for contrast in CONTRASTS:
            save(root / f"sub-{i:02}" / "anat" / f"sub-{i:02}_{contrast}.nii.gz", volumes[contrast], AFFINE)
        if lesion.any():
            mask = root / "derivatives" / "manual" / f"sub-{i:02}" / "anat" / f"sub-{i:02}_label-lesion_mask.nii.gz"
            save(mask, lesion[::-1].astype(np.uint8), TURNED)
    about = {"Name": "Made-up people", "BIDSVersion": "1.10.0"}
    (root / "dataset_description.json").write_text(json.dumps(about))
    fitted = ["--include", "sub-[01]?", "--include", "sub-2[01]", "--select", "suffix=FLAIR"]
    return fitted, ["--include", "sub-2[2-9]"], lambda i: f"sub-{i:02}/anat/sub-{i:02}_FLAIR.nii.gz"


def nnunet(root: Path) -> tuple[list[str], list[str], Callable[[int], str]]:
    """The same, with channels as numbers."""
    for i in range(PEOPLE):
        volumes, lesion = person(i)
        part = "Tr" if i < FITTED else "Ts"
        for channel, contrast in enumerate(CONTRASTS):
            save(root / f"images{part}" / f"P_{i:03}_{channel:04}.nii.gz", volumes[contrast], AFFINE)
        save(root / f"labels{part}" / f"P_{i:03}.nii.gz", lesion[::-1].astype(np.uint8), TURNED)
    (root / "dataset.json").write_text(json.dumps({"channel_names": dict(enumerate(CONTRASTS))}))
    chosen = [["--include", f"images{part}/*_0001.nii.gz"] for part in ("Tr", "Ts")]
    return *chosen, lambda i: f"imagesTs/P_{i:03}_0001.nii.gz"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("layout", [bids, nnunet])
def test_from_a_folder_to_decisions(
    layout: Callable[..., tuple[list[str], list[str], Callable[[int], str]]], tmp_path: Path
) -> None:
    root, maps = tmp_path / "people", tmp_path / "people" / "derivatives" / "entropix"
    fitted, scored, name_of = layout(root)
    people = range(FITTED, PEOPLE)
    table = tmp_path / "labels.csv"
    sick = {i: person(i)[1].any((0, 1)) for i in people}  # by slice
    rows = [f"{name_of(i)}#{k},{int(label)}\n" for i in people for k, label in enumerate(sick[i])]
    table.write_text("path,label\n" + "".join(rows))
    epochs = ["--epochs", "150", "--alpha", "0.2", "--no-cache"]
    fit = json.loads(entropix_cli("fit", root, "--out", tmp_path / "model", *fitted, *epochs, "--json").stdout)
    assert fit["settings"]["n_images"] == FITTED * SLICES
    command = [
        "score",
        tmp_path / "model",
        root,
        *scored,
        "--labels",
        table,
        "--heatmaps",
        maps,
        "--no-cache",
        "--json",
    ]
    result = json.loads(entropix_cli(*command, "--out", tmp_path / "s.csv").stdout)

    slices, volumes, masks = (rows_of(tmp_path / f"s{part}.csv") for part in ("", ".volumes", ".masks"))
    assert [row["volume"] for row in volumes] == [name_of(i) for i in people]
    assert all(len({row["group"] for row in slices if row["volume"] == name_of(i)}) == 1 for i in people)
    for i in people:
        (path,) = [p for p in maps.rglob("*.nii.gz") if f"{i:02}" in p.name]
        heat, (_, lesion) = nibabel.load(path), person(i)
        np.testing.assert_allclose(heat.affine, AFFINE)
        assert heat.shape == lesion.shape
        if lesion.any():
            assert heat.get_fdata()[lesion].mean() > 3 * heat.get_fdata()[~lesion].mean()
    with_lesion = {name_of(i): int(person(i)[1].sum()) for i in range(NORMAL, PEOPLE)}
    assert {row["path"]: int(row["lesion_voxels"]) for row in masks if int(row["lesion_voxels"])} == with_lesion
    decisions = {row["volume"]: row["anomalous"] for row in volumes}
    print(f"\n{layout.__name__}: d = {fit['latent_dim']}, {result['metrics']}")
    print({name: round(value, 3) for name, value in result["located"].items()})
    print([(row["volume"], row["p_value"], row["anomalous"]) for row in volumes])
    assert [decisions[name] for name in with_lesion] == ["yes"] * 4
    assert list(decisions.values()).count("yes") <= 5  # one in five normal people, by chance
    assert result["metrics"]["surprisal"]["auc"] > 0.8
    assert result["located"]["ap"] > 10 * sum(with_lesion.values()) / result["located"]["voxels"]
