"""By what a row of a table is found again: patient, volume, UIDs, accession number; and a decision as a word."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from entropix.data import ImageSet

OF_ORIGIN = ("volume", "study_uid", "series_uid", "sop_uid", "accession")


def identifiers(images: ImageSet, chosen: Sequence[int], besides: Collection[str] = ()) -> dict[str, list[str]]:
    """Return what is known of the images at indices `chosen`, by column; columns without any entry are left out.

    Args:
        images: images.
        chosen: indices.
        besides: columns that are not wanted.
    """
    columns = {
        # an image of no patient is its own group
        "group": [images.groups[i] if images.groups[i] != images.names[i] else "" for i in chosen],
        **{name: [getattr(images.origins[i], name) for i in chosen] for name in OF_ORIGIN},
    }
    return {name: values for name, values in columns.items() if any(values) and name not in besides}


def word_of(anomalous: bool | None) -> str:
    """Return yes or no, or nothing where nothing was decided."""
    return "" if anomalous is None else "yes" if anomalous else "no"
