"""Heat maps as NIfTI: a float32 volume of the shape and place in space of the one that was scored.

Those of files with BIDS names are a BIDS derivative: named by the entities of their source, with a JSON file beside
each and a `dataset_description.json` for the folder. `mod` keeps the maps of several contrasts of one person apart.
BIDS 1.11 has no suffix for such maps; `.bidsignore` says so to its validator, which checks the rest.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from entropix._version import __version__
from entropix.data._bids import DESCRIPTION, SUFFIX, entities
from entropix.data.formats._maps import FileMaps, MapFolder
from entropix.data.formats._nifti_space import into_volume, open_volume

ABOUT = "entropix anomaly map, nats per pixel"  # at most 79 characters
README = """# Anomaly maps

Written by entropix, for research only. Each volume has the shape and the place of the one that it was made from
(`Sources` in the JSON file beside it). Its values are nats per pixel: how surprising the image is there to a model of
normal images. Slices that show nothing are 0. All volumes share one scale, `cal_max`.
"""


def write_derivative(folder: MapFolder, maps: FileMaps, ending: str) -> None:
    """Write the map of a file with a BIDS name, and what describes it."""
    found = entities(maps.name)
    parts = [f"{name}-{value}" for name, value in found.items() if name not in ("mod", "desc", SUFFIX)]
    stem = "_".join([*parts, f"mod-{found[SUFFIX]}", "desc-anomaly", "map"])
    path = folder.place(str(PurePosixPath(maps.name).with_name(stem)), ending)
    write_map(path, maps, folder)
    facts = {"Description": ABOUT, "Units": "nat", "Sources": [f"bids:raw:{maps.name}"]}
    path.with_name(path.name.removesuffix(ending) + ".json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    (folder.path / ".bidsignore").write_text("*_desc-anomaly_map.*\n", encoding="utf-8")
    (folder.path / "README.md").write_text(README, encoding="utf-8")
    made_by = {"Name": "entropix", "Version": __version__}
    about = {"Name": "Anomaly maps", "BIDSVersion": "1.10.0", "DatasetType": "derivative", "GeneratedBy": [made_by]}
    (folder.path / DESCRIPTION).write_text(json.dumps(about, indent=1), encoding="utf-8")


def write_map(path: Path, maps: FileMaps, folder: MapFolder) -> None:
    """Write the maps of a volume's slices to the file `path`; slices without a map are 0.

    The header has a description, and the range of values that viewers show, which all maps of the folder share.
    """
    import nibabel

    source = open_volume(maps.path)
    shape = source.shape[:3]
    volume = into_volume(maps.by_frame(), shape, source.affine, folder.select.axis).reshape(shape)
    image = type(source)(volume, source.affine)
    for form in ("sform", "qform"):
        getattr(image, f"set_{form}")(*getattr(source, f"get_{form}")(coded=True))
    image.header.set_xyzt_units(*source.header.get_xyzt_units())
    image.header["cal_min"], image.header["cal_max"], image.header["descrip"] = 0, folder.top, ABOUT
    nibabel.save(image, path)
