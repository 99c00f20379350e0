"""The scale of pixel values: which are on [0, 1] by their own meaning, and how others get there."""

from __future__ import annotations

import numpy as np

from entropix.exceptions import DataError

# 4 GiB as float32: far above any scan, far below what a damaged header may claim.
MAX_VALUES = 2**30
PERCENTILES = (0.5, 99.5)


def real_values(pixels: np.ndarray) -> tuple[np.ndarray, str]:
    """Return pixels as float32, and their scale; 8-bit values are divided by 255.

    Raises:
        DataError: dtype is complex, object, string or another that holds no real numbers; values too small for float32.
    """
    kind = pixels.dtype.kind
    if kind not in "buif":
        raise DataError(f"values of dtype {pixels.dtype}; expected real numbers (bool, integer or float)")
    with np.errstate(over="ignore", under="ignore"):
        values = np.ascontiguousarray(pixels, dtype=np.float32)
    if kind == "f" and not values.any() and pixels.any():
        raise DataError(f"values up to {np.abs(pixels).max():g}, too small for float32; give them in another unit")
    if pixels.dtype == np.uint8:
        return values / np.float32(255), "source"
    return values, {"b": "source", "f": "float"}.get(kind, "integer")


def robust_scale(values: np.ndarray, ignore: np.ndarray | None = None) -> np.ndarray:
    """Map the 0.5 and 99.5 percentiles of floats to 0 and 1 (float32), and clip; NaN and infinities become NaN.

    Percentiles are those of at most a million values at even steps. In a volume that is nearly all background
    (percentiles equal), the extremes take their place. Constant values become 0.

    Args:
        values: any shape.
        ignore: the same shape; values where it is set don't count for the percentiles.
    """
    step = max(1, values.size // 1_000_000)
    sample = values.reshape(-1)[::step]
    if ignore is not None:
        sample = sample[~ignore.reshape(-1)[::step]]
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return values.astype(np.float32, copy=False)
    low, high = (float(value) for value in np.percentile(sample, PERCENTILES))
    if not high > low:
        low, high = float(sample.min()), float(sample.max())
    if high - low > float(np.finfo(values.dtype).max):  # halves don't overflow
        values, low, high = values / 2, low / 2, high / 2
    kind = values.dtype.type
    scaled = (values - kind(low)) / kind(high - low if high > low else 1)
    # in place, and without touching NaN: volumes are large
    scaled[~np.isfinite(scaled)] = np.nan
    return np.clip(scaled, 0, 1, out=scaled).astype(np.float32, copy=False)
