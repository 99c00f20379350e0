"""How well heat maps fit masks, as a table."""

import csv
from pathlib import Path

from entropix._utils import new_file, open_table
from entropix.scoring import Located

COLUMNS = ("path", "voxels", "lesion_voxels", "regions", "ap", "best_dice", "aupro")


def write_located(path: Path, located: Located) -> None:
    """Write a CSV file with one row per file that has a mask."""
    with new_file(path) as partial, open_table(partial) as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(located.rows)
