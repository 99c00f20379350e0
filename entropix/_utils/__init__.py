"""Tools that know nothing of images or models: batches, containers, progress, files, tables, devices, seeds."""

from entropix._utils._batches import INFERENCE_BATCH, Rows, each_batch, in_batches
from entropix._utils._checks import as_path, check_seed, check_switches, is_whole, whole_numbers
from entropix._utils._console import Epoch, Progress, track
from entropix._utils._containers import plain
from entropix._utils._device import resolve_device, versions
from entropix._utils._extras import install_hint
from entropix._utils._files import check_new_file, check_new_folder, new_file, new_folder, open_table, remove_leftovers
from entropix._utils._memory import out_of_memory
from entropix._utils._moved import moved_names
from entropix._utils._seeds import seeded
from entropix._utils._settings import SharedSettings
from entropix._utils._tables import quoted, read_table, read_text

__all__ = [
    "INFERENCE_BATCH",
    "Epoch",
    "Progress",
    "Rows",
    "SharedSettings",
    "as_path",
    "check_new_file",
    "check_new_folder",
    "check_seed",
    "check_switches",
    "each_batch",
    "in_batches",
    "install_hint",
    "is_whole",
    "moved_names",
    "new_file",
    "new_folder",
    "open_table",
    "out_of_memory",
    "plain",
    "quoted",
    "read_table",
    "read_text",
    "remove_leftovers",
    "resolve_device",
    "seeded",
    "track",
    "versions",
    "whole_numbers",
]
