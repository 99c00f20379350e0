"""Names that moved work, and say the new one."""

import pytest
import torch

import entropix


def test_moved_names() -> None:
    for package, old, new in (
        (entropix.estimators, "merge_twins", "merge_duplicates"),
        (entropix.estimators, "Twins", "Duplicates"),
        (entropix.models, "Stack", "BatchedAutoencoders"),
        (entropix.strategies, "select", "select_prefix"),
        (entropix.strategies, "constrain", "constrain_length"),
    ):
        with pytest.warns(DeprecationWarning, match=f"{old} is now entropix.*{new}"):
            found = getattr(package, old)
        assert found is getattr(package, new)
    with pytest.raises(AttributeError, match=r"'entropix\.estimators' has no attribute 'merge_triplets'"):
        _ = entropix.estimators.merge_triplets  # type: ignore[attr-defined]


def test_pixels_under_the_old_name() -> None:
    images = entropix.data.read(torch.rand(3, 8, 8), image_size=8)
    with pytest.warns(DeprecationWarning, match=r"ImageSet\.pixels"):
        assert images.images is images.pixels
