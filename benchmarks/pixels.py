"""Where a lesion is: masks, and how well maps agree with them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from entropix.data import ImageSet, read
from entropix.datasets import KINDS, implant_lesions

CARRIERS = 200  # normal test images that lesions are put on
SIZES = {"small": (0.04, 0.08), "large": (0.1, 0.2)}  # radius as a share of the image's width
FOLDERS = ("masks", "annotation")  # of `entropix prepare`, and of the MedIAnomaly package


def read_masks(root: Path, images: ImageSet) -> np.ndarray:
    """Masks (n, s, s) of test images at their size: PNG files of the same names; normal images may have none.

    Raises:
        SystemExit: an abnormal image without a mask.
    """
    files = {path.name: path for folder in FOLDERS for path in sorted(root.rglob(f"{folder}/*.png"))}
    paths = [files.get(Path(name).name) for name in images.names]
    missing = [name for name, path, y in zip(images.names, paths, images.labels, strict=True) if y == 1 and not path]
    if missing:
        raise SystemExit(f"{root}: no mask of {missing[0]} in {' or '.join(FOLDERS)}, nor of {len(missing) - 1} more")
    size = images.pixels.shape[-1]
    masks = np.zeros((len(images), size, size), bool)
    known = [i for i, path in enumerate(paths) if path]
    found = read([paths[i] for i in known], image_size=size, channels=1, split="test").pixels[:, 0]
    masks[known] = (found > 0.5 * found.max()).numpy()
    return masks


def lesioned(test: ImageSet) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Normal test images with lesions (n, c, s, s) and masks (n, s, s), for every kind and size of lesion."""
    normal = test.subset(np.flatnonzero(test.labels == 0)[:CARRIERS]).pixels.numpy().clip(0, 1)
    for i, (kind, size) in enumerate((kind, size) for kind in KINDS for size in SIZES.values()):
        yield implant_lesions(normal, seed=i, kinds=(kind,), size=size)


def pixel_metrics(masks: np.ndarray, maps: np.ndarray) -> dict[str, float]:
    """Average precision and best Dice of maps (n, s, s) over all pixels of all images with masks (n, s, s)."""
    from sklearn.metrics import average_precision_score

    truth, values = masks.ravel(), maps.ravel()
    order = values.argsort()[::-1]
    # at every threshold, pixels of one value together: 2 |truth and found| / (|truth| + |found|)
    last = np.append(np.diff(values[order]) != 0, True)
    dice = 2 * np.cumsum(truth[order])[last] / (truth.sum() + np.flatnonzero(last) + 1)
    return {"pixel_ap": float(average_precision_score(truth, values)), "dice": float(dice.max())}
