"""A latent dimension that the data can't bear."""

from __future__ import annotations

import warnings

from entropix.exceptions import FitWarning


def check_code_length(latent_dim: int, values: int, rows: int | None = None) -> None:
    """Check d against the data, before any training.

    A code as long as its input holds all of it, foreign content too, and one with more numbers than there are inputs
    can know each by heart.

    Args:
        latent_dim: d.
        values: numbers in one input: of pixels and channels, or features.
        rows: distinct inputs to train on; warns with `FitWarning` if they are fewer than d.

    Raises:
        ValueError: d is larger than `values`.
    """
    if latent_dim > values:
        raise ValueError(
            f"latent_dim={latent_dim}, but each input has {values} values (pixels and channels, or features): such a "
            f"code leaves nothing out, foreign content neither; expected at most {values}, better far less, or 'auto'"
        )
    if rows is not None and latent_dim > rows:
        warnings.warn(
            f"latent_dim={latent_dim} is more than the {rows} distinct inputs to train on, each of which so long a "
            "code can know by heart: take less, or 'auto'",
            FitWarning,
            stacklevel=3,
        )
