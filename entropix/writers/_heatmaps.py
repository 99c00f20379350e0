"""Heat maps in the format of what was scored, so that the reader's own viewer lays them over it.

Each format writes the maps of its files (`entropix.data.formats`): in the geometry of the source where it can hold
them, then in nats per pixel of the model's resolution, else as PNG of the image with the map laid over it. The colours
of all PNG files share one scale, so that they compare.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from entropix._utils import new_folder
from entropix.data import ImageSet
from entropix.data.formats import FileMaps, HeatMap, MapFolder, format_of, write_overlay
from entropix.detector import EntropixDetector, resize_map
from entropix.writers._scores import check_images


def write_heatmaps(folder: Path, detector: EntropixDetector, images: ImageSet, keep_ids: bool = False) -> None:
    """Write a heat map for every volume, DICOM file and image.

    Args:
        folder: which is new; the maps have the names of their sources there.
        detector: that says where the surprise is.
        images: as `detector.read` gives them.
        keep_ids: let DICOM maps carry the patient's name and number, not a pseudonym.

    Raises:
        OSError: a source that is gone, or a folder that cannot be written.
    """
    check_images(detector, images)
    maps = detector.surprise_maps(images, progress=True)
    top = float(np.quantile(maps, 0.999)) or 1.0
    sizes = images.sizes.tolist()
    with new_folder(folder) as scratch:
        shared = MapFolder(scratch, top, images.natural_scale, images.select, keep_ids)
        for source, indices in _by_source(images).items():
            found = [HeatMap(images.names[i], images.origins[i].frame, resize_map(maps[i], sizes[i])) for i in indices]
            if isinstance(source, Path):
                format_of(source).write_maps(shared, FileMaps(source, found, images.groups[indices[0]]))
            else:
                write_overlay(shared, found[0], _as_read(images, source))


def _by_source(images: ImageSet) -> dict[Path | int, list[int]]:
    """Return which images are of the same file; an image of an array is its own source, by its index."""
    sources: dict[Path | int, list[int]] = defaultdict(list)
    for i, origin in enumerate(images.origins):
        sources[origin.path or i].append(i)
    return sources


def _as_read(images: ImageSet, index: int) -> np.ndarray:
    """Return an image (c, h, w) in its own size, with no more in it than the model sees."""
    size = images.sizes[index].tolist()
    return np.stack([resize_map(channel, size) for channel in images.pixels[index].numpy()])
