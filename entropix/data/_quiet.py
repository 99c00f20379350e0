"""Silence for the warnings of file readers about headers: what matters shows in the values."""

from __future__ import annotations

import warnings

READERS = r"(pydicom|nibabel|PIL|openjpeg|libjpeg|entropix\.data\.formats)(\.|$)"


def quiet_readers() -> None:
    """Ignore warnings of the readers from now on, and of no other module.

    The filter stays: taking it back would be a race between threads, which share the list of filters.
    """
    warnings.filterwarnings("ignore", module=READERS)
