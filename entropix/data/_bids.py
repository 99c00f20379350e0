"""The Brain Imaging Data Structure (BIDS; Gorgolewski et al. 2016): what a folder and the names of its files say.

A name is entities and a suffix: sub-01_ses-2_acq-hires_run-1_T1w.nii.gz. Whoever names files so is understood, in
whatever folder they lie.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

SUBJECT = "sub"
SUFFIX = "suffix"
# Entities by which files can be chosen, as BIDS 1.10 names them; the subject's files are one group.
ENTITIES = (
    *(SUBJECT, "ses", "sample", "task", "tracksys", "acq", "ce", "trc", "stain", "rec", "dir", "run", "mod", "echo"),
    *("flip", "inv", "mt", "part", "proc", "hemi", "space", "split", "recording", "chunk", "seg", "res", "den"),
    *("label", "desc", SUFFIX),
)
# Entities that say what a mask or a map is of, and not of which image.
OF_MASK = frozenset({"label", "desc", "space", "res", "den", "seg", "hemi", SUFFIX})
# Beside the images of a data set: what was made of them, what they were made of, and programs.
NOT_RAW = {"derivatives": "derived from the images", "sourcedata": "what the images were made of", "code": "programs"}
DESCRIPTION = "dataset_description.json"

_NAME = re.compile(r"((?:[a-z]+-[a-z0-9+]+_)+)([a-z0-9]+)$", re.IGNORECASE)


def entities(name: str) -> dict[str, str]:
    """Return the entities and the suffix of a file, by its path or name; nothing for a file that is named otherwise."""
    stem = PurePosixPath(name).name.partition(".")[0]
    match = _NAME.match(stem)
    if match is None or not stem.startswith(f"{SUBJECT}-"):
        return {}
    pairs = (part.partition("-") for part in match[1].rstrip("_").split("_"))
    return {key: value for key, _, value in pairs} | {SUFFIX: match[2]}


def subject(name: str) -> str:
    """Return sub-01 of a file that is named so, and "" of any other."""
    found = entities(name).get(SUBJECT)
    return f"{SUBJECT}-{found}" if found else ""


def is_bids(root: Path) -> bool:
    """Return whether a folder is a data set: it is described as one, or holds folders of subjects."""
    return (root / DESCRIPTION).is_file() or any(path.is_dir() for path in root.glob(f"{SUBJECT}-*"))
