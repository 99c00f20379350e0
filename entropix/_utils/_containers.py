"""Containers that NumPy would convert to something else than they mean."""

from __future__ import annotations

import numpy as np
import torch

from entropix.exceptions import DataError


def plain(data: object) -> object:
    """Return data as a plain array or list with the same rows in the same order; what needs no change, as it is.

    A pandas or polars Series, and an array of paths or of images, is the list of its items: their labels, by which
    pandas looks them up, count for nothing.

    Raises:
        DataError: masked or sparse values, which have no place in an array of numbers.
    """
    if isinstance(data, torch.Tensor):
        if data.layout != torch.strided or torch.masked.is_masked_tensor(data):
            kind = "masked" if torch.masked.is_masked_tensor(data) else str(data.layout).removeprefix("torch.")
            raise DataError(f"a {kind} tensor; expected a dense one: fill it and pass x.to_dense()")
        return data
    if isinstance(data, np.ma.MaskedArray):
        masked = int(np.ma.getmaskarray(data).sum())
        if masked:
            raise DataError(
                f"a masked array of which {masked} of {data.size} values are masked; leave out the rows that have any, "
                "or fill them: x.filled(value)"
            )
        return np.ma.getdata(data)
    if isinstance(data, np.ndarray):
        return list(data) if data.ndim == 1 and data.dtype.kind in "OUST" else data
    if hasattr(data, "__array__") and len(getattr(data, "shape", ())) == 1:
        return plain(np.asarray(data))
    return data
