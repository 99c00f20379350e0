"""Read images from wherever they are into one `ImageSet`.

    from entropix import data
    images = data.read("scans/", image_size=64)  # folder, file, archive, array, list or torch Dataset

Data flows one way: `_reader` finds the items of a source (`_folders`: files and what their place says about
them; `_arrays`: arrays, archives, torch datasets), decodes files (`_files` by the package `formats`) or finds them
decoded before (`_cache`), brings each image to a float32 square of one size (`_blocks`) and puts them together
(`_assemble`; on disk where they are many: `_spool`). Models take them a batch at a time (`_view`). Every source takes
the same path after decoding: one image stored as PNG, DICOM or NIfTI gives the same pixels.

Nothing unreadable is skipped in silence: `DataError` names the item and the reason, and with `skip_unreadable=True` it
is listed in `ImageSet.unreadable`. A header is believed only as far as the file is long enough for it, and for no more
than 2^30 values (`_scale`).
"""

from entropix.data._choice import Globs
from entropix.data._imageset import ImageSet, Origin, Scaling
from entropix.data._labels import with_labels
from entropix.data._masks import read_mask
from entropix.data._passed_over import by_reason, in_short
from entropix.data._reader import check_reading, read, survey
from entropix.data._select import Select
from entropix.data._spool import allocate
from entropix.data._vectors import FEWEST_ROWS, Standard, are_vectors, check_vectors
from entropix.data._view import ImageView
from entropix.exceptions import DataError, MissingSplitError

__all__ = [
    "FEWEST_ROWS",
    "DataError",
    "Globs",
    "ImageSet",
    "ImageView",
    "MissingSplitError",
    "Origin",
    "Scaling",
    "Select",
    "Standard",
    "allocate",
    "are_vectors",
    "by_reason",
    "check_reading",
    "check_vectors",
    "in_short",
    "read",
    "read_mask",
    "survey",
    "with_labels",
]
