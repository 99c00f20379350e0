"""File formats: `FORMATS` is the list that all code asks which finds, names or reads files, or writes their heat maps.

_format         what a format is.
_maps           heat maps on their way to files; _overlays: over images, as PNG.
_pillow         PNG, JPEG, TIFF and BMP; _tiff: what the tags of a TIFF page say of its values.
_dicom          DICOM images with what identifies them; _dicom_kind: what is no image.
_dicom_objects  what is written of them: _dicom_overlay, _dicom_maps, _dicom_seg, _dicom_report; _dicom_sources: what
                these are made from; _dicom_place: where it lies; _dicom_identity: whose it is.
_dicom_pixels   their pixels; _dicom_grey: as a viewer shows them; _codestream: what compressed ones claim.
_nifti          slices of NIfTI and NRRD volumes; _nifti_space: how a volume lies; _nifti_maps: heat maps;
                _nrrd: NRRD as NIfTI in memory.

A new format is a module here with a subclass of `Format`, and a line with an instance of it in `FORMATS`.
"""

from functools import lru_cache
from pathlib import Path

from entropix.data._blocks import Decoded
from entropix.data._select import Select
from entropix.data.formats._dicom import Dicom
from entropix.data.formats._dicom_objects import DEFAULT_OBJECTS, check_objects
from entropix.data.formats._format import MASK_ENDING, MASK_NAME, Format, OtherSeries, PassedOver, by_number, in_words
from entropix.data.formats._maps import FileMaps, HeatMap, MapFolder, resize_map
from entropix.data.formats._nifti import Nifti, Nrrd
from entropix.data.formats._nifti_space import as_seen, canonical_mask
from entropix.data.formats._overlays import write_overlay
from entropix.data.formats._pillow import Pillow
from entropix.exceptions import DataError

__all__ = [
    "DEFAULT_OBJECTS",
    "FORMATS",
    "MASK_ENDING",
    "MASK_NAME",
    "VOLUMES",
    "Decoded",
    "FileMaps",
    "Format",
    "HeatMap",
    "MapFolder",
    "OtherSeries",
    "PassedOver",
    "as_seen",
    "by_number",
    "canonical_mask",
    "check_objects",
    "decode",
    "format_names",
    "format_of",
    "in_words",
    "is_image_file",
    "is_mask",
    "never_image",
    "resize_map",
    "stem_of",
    "write_overlay",
]

LAST_RESORT = Pillow()  # looks into what no format knows, and says what is wrong with it
# In the order in which messages name them.
FORMATS: tuple[Format, ...] = (
    LAST_RESORT,
    Dicom(),
    Nifti(),
    Nrrd(),
)


# Names of those whose files are volumes that lie in a patient.
VOLUMES = (*Nifti.names, *Nrrd.names)


def format_names() -> list[str]:
    """Return the names of all formats, for people; `in_words` makes a text of them."""
    return [name for one in FORMATS for name in one.names]


def format_of(path: Path) -> Format:
    """Return the format to read a file by: what its content says goes before what its name says.

    Raises:
        OSError: the file cannot be opened.
    """
    for one in FORMATS:
        if one.sniff(path):
            return one
    return next((one for one in FORMATS if one.has_suffix(path)), LAST_RESORT)


def decode(path: Path, select: Select, keep_ids: bool) -> Decoded:
    """Return the images of a file, whatever its format; arguments and errors as for `Format.decode`."""
    if path.stat().st_size == 0:
        raise DataError("empty file (0 bytes)")
    return format_of(path).decode(path, select, keep_ids)


def never_image(path: Path) -> bool:
    """Return whether a file is, by its name, of one of the formats and no image: a DICOMDIR."""
    return any(path.name.lower() in one.never_images for one in FORMATS)


def is_image_file(path: Path) -> bool:
    """Return whether a file found in a folder is to be read: by the ending of its name, or by its content.

    Raises:
        OSError: the file cannot be opened.
    """
    return any(one.has_suffix(path) for one in FORMATS) or any(one.sniff(path) for one in FORMATS)


def is_mask(path: Path) -> bool:
    """Return whether a file, by its name, says where something is in an image.

    A picture has to lie beside it too, x_mask.png beside x, in whatever format, and mask.png beside any image; or to
    look like a mask.
    """
    return any(
        one.is_mask(path) and not (one.masks_need_image and _alone(path) and not one.looks_like_mask(path))
        for one in FORMATS
    )


def _alone(path: Path) -> bool:
    """Return whether no image lies beside a file of which it may be the mask."""
    ending = None if MASK_NAME.fullmatch(stem_of(path)) else MASK_ENDING.search(stem_of(path))
    if ending is None:
        return not _holds_images(path.parent, path.parent.stat().st_mtime_ns)
    image = path.name[: ending.start()]
    suffixes = ("", path.suffix, *(suffix for one in FORMATS for suffix in one.suffixes))
    return not any(path.with_name(image + suffix).is_file() for suffix in suffixes)


@lru_cache(maxsize=1)  # it is asked for every mask_1, mask_2, ... of a folder
def _holds_images(folder: Path, _: int) -> bool:
    """Return whether a folder, last changed then, holds images that are not called mask as a whole."""
    return any(
        path.is_file() and not path.name.startswith(".") and not never_image(path) and _is_image(path)
        for path in folder.iterdir()
        if not MASK_NAME.fullmatch(stem_of(path))
    )


def _is_image(path: Path) -> bool:
    try:
        return is_image_file(path)
    except OSError:  # whoever looks for images will hear of it
        return False


def stem_of(path: Path) -> str:
    """Return the file's name in small letters, without the ending of its format if it has one."""
    return next((one.stem(path) for one in FORMATS if one.has_suffix(path)), path.name.lower())
