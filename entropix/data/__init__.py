"""Read images from wherever they are into one `ImageSet`.

    from entropix import data
    images = data.read("scans/", image_size=64)  # folder, file, archive, array, list or torch Dataset

Data flows one way: `reader` finds the items of a source (`folders`: files and what their place says about
them; `arrays`: arrays, archives, torch datasets), decodes files (`files` by `pillow`, `dicom`, `nifti`) or finds
them decoded before (`cache`), brings each image to a float32 square of one size (`prepare`) and puts them together
(`assemble`; on disk where they are many: `spool`). Models take them a batch at a time (`view`). Every source takes
the same path after decoding: one image stored as PNG, DICOM or NIfTI gives the same pixels.

What cannot be read is never skipped in silence: `DataError` names the item and the reason, and
`skip_unreadable=True` goes on and lists them in `ImageSet.unreadable`. A header is believed only as far as the file
is long enough for it, and no further than `scale.MAX_VALUES` values.
"""

from entropix.data._imageset import ImageSet, Origin
from entropix.data._reader import read
from entropix.data._select import Select
from entropix.data._spool import allocate
from entropix.data._vectors import FEWEST_ROWS, Standard, are_vectors, check_vectors
from entropix.data._view import ImageView
from entropix.exceptions import DataError, MissingSplitError

__all__ = [
    "FEWEST_ROWS",
    "DataError",
    "ImageSet",
    "ImageView",
    "MissingSplitError",
    "Origin",
    "Select",
    "Standard",
    "allocate",
    "are_vectors",
    "check_vectors",
    "read",
]
