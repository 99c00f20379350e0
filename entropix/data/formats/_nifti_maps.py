"""Heat maps as NIfTI: a float32 volume of the shape and place in space of the one that was scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from entropix.data.formats._maps import FileMaps
from entropix.data.formats._nifti_space import into_volume


def write_map(path: Path, maps: FileMaps, axis: str) -> None:
    """Write the maps of a volume's slices across `axis` to the file `path`; slices without a map are 0."""
    import nibabel

    source: Any = nibabel.load(maps.path)
    shape = source.shape[:3]
    volume = into_volume(maps.by_frame(), shape, source.affine, axis).reshape(shape)
    image = type(source)(volume, source.affine)
    for form in ("sform", "qform"):
        getattr(image, f"set_{form}")(*getattr(source, f"get_{form}")(coded=True))
    image.header.set_xyzt_units(*source.header.get_xyzt_units())
    nibabel.save(image, path)
