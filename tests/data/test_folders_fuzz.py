"""Folders as users have them, with damage in one file: images or DataError, and masks that are used or named.

A few cases here; ten thousand, as they were run once: pytest -m slow tests/data/test_folders_fuzz.py
"""

import faulthandler
import json
import tempfile
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from damaged import EDITS, SECONDS, bounded, damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file

from entropix.data import DataError, Select, read, survey
from entropix.scoring import locate

__all__ = ["bounded"]  # a fixture
STUDY = ("CT_small.dcm", "reportsi.dcm", "test-SR.dcm", "rtplan.dcm", "rtstruct.dcm", "liver_1frame.dcm", "DICOMDIR")
# Of every layout: images, masks and what describes them.
LAYOUTS = {
    "beside": ("a.png", "a_mask.png", "b.tif", "b_gt.tif", "c/image_1.png", "c/mask_1.png", "d/t1.nii", "d/seg.nii.gz"),
    "folders": ("images/a.png", "masks/a.png", "imagesTr/p_0000.nii.gz", "labelsTr/p.nii.gz", "dataset.json"),
    "split": ("train/good/a.png", "test/cut/b.png", "ground_truth/cut/b_mask.png", "test/good/c.png"),
    "bids": (
        "dataset_description.json",
        "participants.tsv",
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_FLAIR.nii.gz",
        "derivatives/x/sub-01/anat/sub-01_label-lesion_mask.nii.gz",
    ),
    "study": STUDY,
}
GLOBS = st.lists(st.text("ab01*?[]!-_/.sTwnig", min_size=1, max_size=6), max_size=2)
SELECTS = st.sampled_from(
    [
        *(Select(), Select(series="1"), Select(series=""), Select(component=1), Select(bids={"suffix": "T1w"})),
        *(Select(axis="sagittal"), Select(slices=(1, -1)), Select(slices=(90, 99)), Select(bids={"suffix": "*"})),
    ]
)


@cache
def whole() -> dict[str, dict[str, bytes]]:
    """The files of every layout."""
    values = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    mask = np.where(values > 200, 255, 0).astype(np.uint8)
    found = {}
    for layout, names in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                image = mask if any(word in name for word in ("mask", "seg", "gt", "labels")) else values
                if name.endswith((".nii", ".nii.gz")):
                    nibabel.save(nibabel.Nifti1Image(image.astype(np.int16), np.diag([-1.0, 1, 2, 1])), path)
                elif name.endswith((".png", ".tif")):
                    Image.fromarray(image[..., 0]).save(path)
                elif layout == "study":
                    path.write_bytes(Path(get_testdata_file(name)).read_bytes())
                else:
                    path.write_text(json.dumps({"Name": "x", "BIDSVersion": "1.10.0"}))
            found[layout] = {name: (Path(folder) / name).read_bytes() for name in names}
    return found


def check(layout: str, at: int, inside: bool, edits: list, include: list, exclude: list, select: Select) -> None:
    """Read a folder and compare its masks: images or DataError, soon; `survey` refuses nothing but an empty choice."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, content) in enumerate(whole()[layout].items()):
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(damage(name, content, inside, edits) if number == at % len(LAYOUTS[layout]) else content)
        asked = {"image_size": 8, "cache": False, "select": select, "include": include, "exclude": exclude}
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            survey(folder, split="test", **asked)
            images = read(folder, split="test", skip_unreadable=True, **asked)
        except DataError as error:
            if "MemoryError" in str(error):
                raise
            return
        finally:
            faulthandler.cancel_dump_traceback_later()
        assert torch.isfinite(images.pixels).all()
        located = locate(images, lambda _: images.pixels.mean(1).numpy())
        assert not any("MemoryError" in reason for _, reason in (*located.unusable, *images.unreadable))
        assert all(row["voxels"] > 0 for row in located.rows)


CASE = {
    "layout": st.sampled_from(sorted(LAYOUTS)),
    "at": st.integers(0, 7),
    "inside": st.booleans(),
    "edits": EDITS,
    "include": GLOBS | st.just([]),
    "exclude": GLOBS | st.just([]),
    "select": st.just(Select()) | SELECTS,
}


@pytest.mark.usefixtures("bounded")
@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(**CASE)
def test_damaged_folders(**case: object) -> None:
    check(**case)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.usefixtures("bounded")
@settings(max_examples=10_000, suppress_health_check=list(HealthCheck), database=None, deadline=None)
@given(**CASE)
def test_ten_thousand_damaged_folders(**case: object) -> None:
    check(**case)  # type: ignore[arg-type]
