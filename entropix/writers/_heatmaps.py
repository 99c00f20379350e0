"""Heat maps in the format of what was scored, so that the reader's own viewer lays them over it.

A NIfTI volume gets a NIfTI volume of its shape and affine, a DICOM file a Secondary Capture that refers to it
(`dicom_maps`), any other image a PNG of its size with the map laid over it. NIfTI and DICOM maps hold nats per pixel
of the model's resolution; the colours of all PNG files share one scale, so that they compare.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from entropix._utils import new_folder
from entropix.data import ImageSet
from entropix.data import _files as files
from entropix.data.formats import into_volume
from entropix.detector import EntropixDetector, resize_map
from entropix.writers._dicom_maps import Series

if TYPE_CHECKING:
    from collections.abc import Iterable

# Of a pixel at the top of the scale: how much of the map, and how little of the image, is seen.
OPACITY = 0.7


def write_heatmaps(folder: Path, detector: EntropixDetector, images: ImageSet, keep_ids: bool = False) -> None:
    """A heat map for every volume, DICOM file and image, under their names in `folder`, which is new.

    keep_ids: DICOM maps carry the patient's name and number, not a pseudonym.
    """
    maps = detector.surprise_maps(images, progress=True)
    top = float(np.quantile(maps, 0.999)) or 1.0
    resized = [resize_map(one, size) for one, size in zip(maps, images.sizes.tolist(), strict=True)]
    by_file: dict[Any, list[int]] = defaultdict(list)
    for i, origin in enumerate(images.origins):
        by_file[origin.path or i].append(i)
    series = Series(keep_ids)
    with new_folder(folder) as scratch:
        for indices in by_file.values():
            origin, name = images.origins[indices[0]], images.names[indices[0]]
            frames = {images.origins[i].frame or 0: resized[i] for i in indices}
            if origin.kind == "NIfTI" and origin.path:
                _write_nifti(_place(scratch, origin.volume, ""), origin.path, frames, images.select.axis)
            elif origin.kind.startswith("DICOM") and origin.path:
                place = _place(scratch, name.partition("#")[0], ".dcm")
                series.write(place, origin.path, frames, images.groups[indices[0]])
            else:
                _write_overlays(scratch, images, {i: resized[i] for i in indices}, top)


def _place(folder: Path, name: str, suffix: str) -> Path:
    """Where the map of an image goes: nothing of a name may lead out of the folder."""
    parts = [part for part in PurePosixPath(name.replace("#", "_")).parts if part not in ("/", "..")]
    last = parts[-1] if suffix and parts[-1].lower().endswith(suffix) else parts[-1] + suffix
    path = folder.joinpath(*parts[:-1], last)
    if path.exists():  # scan and scan.dcm would both become scan.dcm
        path = path.with_name(path.name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_nifti(path: Path, source: Path, maps: dict[int, np.ndarray], axis: str) -> None:
    """Maps of slices as a float32 volume with the source's shape, affine and codes of its space."""
    import nibabel

    image: Any = nibabel.load(source)
    volume = into_volume(maps, image.shape[:3], image.affine, axis).reshape(image.shape[:3])
    result = type(image)(volume, image.affine)
    for form in ("sform", "qform"):
        getattr(result, f"set_{form}")(*getattr(image, f"get_{form}")(coded=True))
    result.header.set_xyzt_units(*image.header.get_xyzt_units())
    nibabel.save(result, path)


def _write_overlays(folder: Path, images: ImageSet, maps: dict[int, np.ndarray], top: float) -> None:
    """PNG files of images with their maps laid over them."""
    import matplotlib
    from PIL import Image

    colours = matplotlib.colormaps["inferno"]
    for (i, one), picture in zip(maps.items(), _pictures(images, list(maps)), strict=True):
        strength = np.clip(one / top, 0, 1)[..., None]
        seen = picture * (1 - OPACITY * strength) + colours(strength[..., 0])[..., :3] * OPACITY * strength
        path = _place(folder, images.names[i], ".png")
        Image.fromarray(np.round(255 * np.clip(seen, 0, 1)).astype(np.uint8)).save(path)


def _pictures(images: ImageSet, indices: list[int]) -> Iterable[np.ndarray]:
    """Images (h, w, 3) on [0, 1] of one file at their own resolution, those of an array as the model sees them."""
    path = images.origins[indices[0]].path
    frames = files.decode(path, images.select, keep_ids=False).frames if path else None
    for i in indices:
        if frames is None:
            one = np.stack([resize_map(channel, images.sizes[i].tolist()) for channel in images.pixels[i].numpy()])
        else:
            one = frames[images.origins[i].frame or 0]
        low, high = (0.0, 1.0) if images.natural_scale else (float(one.min()), float(one.max()))
        grey = one if len(one) == 3 else one.mean(0, keepdims=True).repeat(3, 0)
        yield np.clip((grey.transpose(1, 2, 0) - low) / max(high - low, 1e-12), 0, 1)
