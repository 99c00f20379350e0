"""Which mask belongs to which image, by their names and folders.

Masks are never read as images. They say where something is, for judging heat maps. Layouts that are known:

- beside the image: `a_mask.png` of `a.png`; `B-0-seg.nii` of `B-0-t2f.nii`, as no image is called `B-0` (BraTS);
  `mask_1.png` of `image_1.png`, `seg.nii` of all images of its folder that have no mask of their own;
- in a folder of masks beside that of images: `labelsTr/a.nii.gz` of `imagesTr/a_0000.nii.gz` (nnU-Net),
  `masks/a.png` of `images/a.png`, `ground_truth/cut/0_mask.png` of `test/cut/0.png` (MVTec AD);
- BIDS: `derivatives/x/sub-01/anat/sub-01_label-lesion_mask.nii` of all images of sub-01 whose entities start so;
- masks that only their content shows, of images without others: `a_LesionSmooth.nii` of `a.nii` beside it.

Masks of brain and tissues (`desc-brain`, `label-GM`, `a_brain_mask.nii`, ..., `probseg`) say nothing of anomalies.
Where an image has several others, those called lesion are taken, else all. A mask in a folder of one split is of no
image of another. A mask of several images is used where all are volumes of one patient: their places are compared.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from entropix.data._bids import OF_MASK, SUFFIX, entities
from entropix.data._files import FileItem
from entropix.data._imageset import ImageSet
from entropix.data._names import is_image_folder, is_mask_folder, split_of_folder
from entropix.data._passed_over import MASK_OF_NONE
from entropix.data.formats import MASK_ENDING, MASK_NAME, VOLUMES, format_of, is_mask, stem_of

NORMAL_TISSUE = re.compile(r"brain|aseg|aparc|pve|tissue|(^|[-_. ])(gm|wm|csf|bone|bg|cbm|bs|scgm)$", re.IGNORECASE)
BRAIN_MASK = re.compile(r"(^|[-_. ])(brain|bet|brainmask)([-_. ]?mask)?\.nii(\.gz)?$")  # of a volume, by FSL and others
SEPARATORS = ("-", "_", ".", " ")
WHOLE = "/"  # begins the keys of masks whose names say of no image that it is theirs; no name has it

Place = tuple[str, ...]
Keys = dict[str, list[tuple[Path, frozenset[str]]]]  # masks and the splits that their folders name, by key


def with_masks(items: Sequence[FileItem], masks: Iterable[Path], root: Path) -> list[FileItem]:
    """Return the items with the files among `masks` (files and folders below `root`) that are masks of them."""
    keys: dict[Place, Keys] = defaultdict(lambda: defaultdict(list))
    for path in _files(masks):
        if not _of_normal_tissue(path):
            keys[_place(path, root)][_key(path)].append((path, _splits(path, root)))
    if not keys:
        return list(items)
    places = [_place(item.path, root) for item in items]
    stems = {(place, stem_of(item.path)) for place, item in zip(places, items, strict=True)}
    return [
        replace(item, masks=_masks_of(item.path, _splits(item.path, root), place, keys[place], stems))
        for place, item in zip(places, items, strict=True)
    ]


def with_masks_by_content(items: Sequence[FileItem], names: Collection[str]) -> list[FileItem]:
    """Return the items but for those of these names, which turned out to be masks, with these where they belong."""
    places = [(item.path.parent, stem_of(item.path)) for item in items]
    images = {place for item, place in zip(items, places, strict=True) if item.name not in names}
    masks: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for item, (folder, stem) in zip(items, places, strict=True):
        if item.name in names:
            own = next((one for one in _beginnings(stem) if (folder, one) in images), "")
            if not NORMAL_TISSUE.search(stem.removeprefix(own)):
                masks[folder, own].append(item.path)
    return [
        replace(item, masks=item.masks or tuple(masks.get(place, ())))
        for item, place in zip(items, places, strict=True)
        if item.name not in names
    ]


def used_masks(
    items: Sequence[FileItem], images: ImageSet
) -> tuple[dict[Path, tuple[Path, ...]], list[tuple[str, str]]]:
    """Return the masks of each file that was read, and (name, reason) of those of which it is not known whose they are.

    Args:
        items: files with all masks that may be theirs.
        images: what was read of them.
    """
    groups = {origin.path: group for origin, group in zip(images.origins, images.groups, strict=True)}
    owners: dict[Path, list[Path]] = defaultdict(list)
    for item in items:
        for mask in item.masks if item.path in groups else ():
            owners[mask].append(item.path)
    unused = {
        mask: f"{MASK_OF_NONE}any of {len(paths)} images may be its own; expected one for each: a_mask beside a, or "
        "masks/a beside images/a"
        for mask, paths in owners.items()
        if len(paths) > 1 and not (len({groups[path] for path in paths}) == 1 and format_of(mask).names[0] in VOLUMES)
    }
    masks = {item.path: tuple(mask for mask in item.masks if mask not in unused) for item in items}
    told = [(f"{mask.parent.name}/{mask.name}", reason) for mask, reason in unused.items()]
    return {path: found for path, found in masks.items() if found and path in groups}, told


def _masks_of(
    image: Path, splits: frozenset[str], place: Place, keys: Keys, stems: set[tuple[Place, str]]
) -> tuple[Path, ...]:
    """Return the masks whose key is the image's name, else those of the longest key that begins it and no image has.

    Where none is, those that are called mask as a whole, with the number of the image or without any.
    """
    stem = stem_of(image)
    number = re.search(r"\d*$", stem)
    numbered = [f"{WHOLE}{int(number[0])}"] if number and number[0] else []
    for key in (stem, *(one for one in _beginnings(stem) if (place, one) not in stems), *numbered, WHOLE):
        found = [path for path, named in keys.get(key, ()) if not splits or not named or splits & named]
        if found:
            return tuple([path for path in found if "lesion" in path.name.lower()] or found)
    return ()


def _beginnings(stem: str) -> list[str]:
    """Return what comes before each separator of a name, the longest first."""
    return [stem[:at] for at in range(len(stem) - 1, 0, -1) if stem[at] in SEPARATORS]


def _files(masks: Iterable[Path]) -> list[Path]:
    """Return the files of masks: in a folder of derivatives those that are called so, in others all."""
    found = []
    for path in masks:
        if not path.is_dir():
            found.append(path)
            continue
        below = sorted(one for one in path.rglob("*") if one.is_file() and stem_of(one) != one.name.lower())
        found += below if is_mask_folder(path.name) else [one for one in below if is_mask(one)]
    return found


def _of_normal_tissue(path: Path) -> bool:
    found = entities(path.name)
    if not found:
        return BRAIN_MASK.search(path.name.lower()) is not None
    return found.get(SUFFIX) == "probseg" or any(
        NORMAL_TISSUE.search(found.get(name, "")) is not None for name in ("label", "desc")
    )


def _key(path: Path) -> str:
    """Return the beginning of the names of images that a mask belongs to."""
    found = entities(path.name)
    if found:
        return "_".join(f"{name}-{value}" for name, value in found.items() if name not in OF_MASK).lower()
    stem = stem_of(path)
    whole = MASK_NAME.fullmatch(stem)
    return (
        f"{WHOLE}{int(whole['number'])}" if whole and whole["number"] else WHOLE if whole else MASK_ENDING.sub("", stem)
    )


def _place(path: Path, root: Path) -> Place:
    """Return the folders of a file without those that tell images from masks and splits; none of what BIDS names."""
    if entities(path.name):
        return ()
    folders = PurePosixPath(path.relative_to(root).as_posix()).parent.parts
    return tuple(name for name in folders if not (is_mask_folder(name) or is_image_folder(name)))


def _splits(path: Path, root: Path) -> frozenset[str]:
    """Return the splits that the folders of a file name."""
    return frozenset(filter(None, map(split_of_folder, path.relative_to(root).parent.parts)))
