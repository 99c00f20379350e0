"""The result of a sweep: a row and a detector for every training, and the paper's tables of them."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from entropix._utils import check_new_folder, new_folder
from entropix.detector import EntropixDetector
from entropix.scoring import Located

FILES = ("sweep.csv", "sweep.json")


@dataclass(frozen=True)
class SweepRow:
    """One training of a sweep. Errors are mean squared errors of images on [-1, 1].

    Attributes:
        latent_dim: d.
        seed: seed of the training.
        auc: area under the ROC curve of the test images' errors; None without labels of both kinds.
        copies: number of labelled test images that are near copies of images that the training had; None likewise.
        auc_without_copies: area under the ROC curve without these; None without any, or without labels of both kinds.
        ap: average precision; None without labels of both kinds.
        error_train: error of training images.
        error_held_out: error of held-out normal images.
        error_test_normal: error of normal test images; None without any.
        error_test_abnormal: error of abnormal test images; None without any.
        voxel_ap: average precision of the voxels' squared errors, against the masks of test images; None without masks.
        best_dice: the best Dice that any threshold gives; None without masks.
        aupro: overlap per region (`entropix.scoring.Overlap`); None without masks.
    """

    latent_dim: int
    seed: int
    auc: float | None
    ap: float | None
    copies: int | None
    auc_without_copies: float | None
    error_train: float
    error_held_out: float
    error_test_normal: float | None
    error_test_abnormal: float | None
    voxel_ap: float | None = None
    best_dice: float | None = None
    aupro: float | None = None


# What `Sweep.table` has the means of.
MEASURED = tuple(one.name for one in fields(SweepRow) if one.name not in ("latent_dim", "seed"))


@dataclass(frozen=True)
class Sweep:
    """The result of a sweep.

    Attributes:
        rows: one per training.
        detectors: every training's detector, by (latent_dim, seed).
        located: how well its squared errors fit each mask of the test images, by (latent_dim, seed).
        settings: data, seeds, epochs, versions: how to repeat the sweep.
    """

    rows: list[SweepRow]
    detectors: dict[tuple[int, int], EntropixDetector] = field(repr=False)
    settings: dict[str, Any] = field(default_factory=dict)
    located: dict[tuple[int, int], Located] = field(default_factory=dict)

    def detector(self, latent_dim: int, seed: int = 0) -> EntropixDetector:
        """Return the detector of one training.

        Raises:
            KeyError: there was no such training.
        """
        if (latent_dim, seed) not in self.detectors:
            raise KeyError(f"no training with d = {latent_dim}, seed = {seed}; there are {sorted(self.detectors)}")
        return self.detectors[latent_dim, seed]

    def table(self) -> list[dict[str, float]]:
        """Return mean and, with several seeds, standard deviation for every d, as the paper's Table 1 and Figure 3."""
        summary = []
        for d in dict.fromkeys(row.latent_dim for row in self.rows):
            of_d = [asdict(row) for row in self.rows if row.latent_dim == d]
            entry: dict[str, float] = {"latent_dim": d}
            for name in MEASURED:
                values = [row[name] for row in of_d if row[name] is not None]
                if values:
                    entry[name] = float(np.mean(values))
                if len(values) > 1:
                    entry[f"{name}_sd"] = float(np.std(values, ddof=1))
            summary.append(entry)
        return summary

    def best(self) -> dict[str, float] | None:
        """Return the entry of `table` with the highest AUC: the oracle that sees the labels. None without labels."""
        scored = [entry for entry in self.table() if "auc" in entry]
        return max(scored, key=lambda entry: entry["auc"], default=None)

    def save(self, folder: str | Path) -> Path:
        """Write `sweep.csv` (rows) and `sweep.json` (table, rows, settings) to a new or empty folder."""
        folder = Path(folder)
        check_new_folder(folder)
        return self.write(folder)

    def write(self, folder: Path) -> Path:
        """Write the files of `save` to a folder that was checked before."""
        rows = [asdict(row) for row in self.rows]
        document = {"settings": self.settings, "table": self.table(), "rows": rows, "masks": self._by_file()}
        with new_folder(folder) as scratch:
            with (scratch / FILES[0]).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            (scratch / FILES[1]).write_text(json.dumps(document, indent=1), encoding="utf-8")
        return folder

    def _by_file(self) -> list[dict[str, Any]]:
        """Return a row for each training and each file with a mask."""
        return [
            {"latent_dim": d, "seed": seed, **row} for (d, seed), found in self.located.items() for row in found.rows
        ]
