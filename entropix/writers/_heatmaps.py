"""Heat maps in the format of what was scored, so that the reader's own viewer lays them over it.

Each format writes the maps of its files (`entropix.data.formats`): in the geometry of the source where it can hold
them, then in nats per pixel of the model's resolution, else as PNG of the image with the map laid over it. All share
one scale of colours, so that they compare. In its middle lies the level that a normal image exceeds anywhere with
probability alpha, so that normal images stay dark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from entropix._utils import new_folder
from entropix.data import ImageSet
from entropix.data.formats import (
    DEFAULT_OBJECTS,
    FileMaps,
    Format,
    HeatMap,
    MapFolder,
    check_objects,
    format_of,
    resize_map,
    write_overlay,
)
from entropix.detector import EntropixDetector
from entropix.scoring import DEFAULT_SCORE, PEAK, find_regions
from entropix.writers._scores import Scored, check_images, score


def write_heatmaps(
    folder: Path,
    detector: EntropixDetector,
    images: ImageSet,
    keep_ids: bool = False,
    dicom: Sequence[str] = DEFAULT_OBJECTS,
    scored: Scored | None = None,
) -> None:
    """Write a heat map for every volume, DICOM file and image.

    Args:
        folder: which is new; the maps have the names of their sources there.
        detector: that says where the surprise is.
        images: as `detector.read` gives them.
        keep_ids: let DICOM objects carry all identifiers of their sources. Otherwise all are replaced.
        dicom: what to write of DICOM files, each into a folder of that name: "overlay" (Secondary Capture in colour),
            "map" (Parametric Map of the values), "seg" (Segmentation of the regions), "report" (structured report).
        scored: the images' scores, if they are known (`score`).

    Raises:
        OSError: a source that is gone, or a folder that cannot be written.
        ValueError: an unknown kind of DICOM object.
        ModuleNotFoundError: DICOM objects other than overlays, without highdicom.
    """
    check_images(detector, images)
    check_heatmaps(images, dicom)
    scored = scored or score(detector, images, maps=True)
    scores = scored.terms[DEFAULT_SCORE]
    maps = detector.surprise_maps(images, progress=True) if scored.maps is None else scored.maps
    alpha = detector.calibration_.reachable(detector.alpha)
    level = detector.calibration_.threshold(alpha, PEAK)
    sizes = images.sizes.tolist()
    by_format: dict[Format, list[FileMaps]] = defaultdict(list)
    with new_folder(folder) as scratch:
        largest = float(maps.max())
        shared = MapFolder(scratch, level, alpha, largest, images.natural_scale, images.select, keep_ids, dicom)
        for source, indices in _by_source(images).items():
            found = [
                HeatMap(
                    images.names[i],
                    images.origins[i].frame,
                    maps[i],
                    sizes[i],
                    float(scores[i]),
                    float(scored.p_values[i]),
                    find_regions(maps[i], level, sizes[i]),
                    None if scored.fdr is None else bool(scored.anomalous[i]),
                )
                for i in indices
            ]
            if isinstance(source, Path):
                by_format[format_of(source)].append(FileMaps(source, found))
            else:
                write_overlay(shared, found[0], _as_read(images, source))
        for one, files in by_format.items():
            one.write_maps(shared, files)


def check_heatmaps(images: ImageSet, dicom: Sequence[str]) -> None:
    """Raise an error unless `write_heatmaps` can write what is asked for of DICOM files, if the images are of any."""
    if any(origin.kind.startswith("DICOM") for origin in images.origins):
        check_objects(dicom)


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
