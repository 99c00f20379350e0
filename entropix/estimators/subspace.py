"""Rank of a sample, and coordinates on the subspace that it spans."""

from __future__ import annotations

import torch
from torch import Tensor


def constant_columns(x: Tensor) -> int:
    """Number of columns of x (n, d) without variation beyond rounding."""
    return int((~_varying(x)).sum())


def spanned_dimensions(x: Tensor) -> int:
    """Dimension of the affine subspace that the rows of x (n, d) span, to the precision of its dtype.

    Columns are scaled to unit variance first, so that units do not decide.
    """
    n, d = x.shape
    eps = torch.finfo(x.dtype).eps
    x = x.detach()[:, _varying(x)].double()
    if x.shape[1] == 0 or n == 1:
        return 0
    if n <= x.shape[1]:
        return n - 1
    centred = x - x.mean(0)
    singular = torch.linalg.svdvals(centred / centred.std(0))
    return int((singular > singular[0] * max(n, d) * eps).sum())


def principal_coordinates(x: Tensor, rank: int, *, scaled: bool = False) -> Tensor:
    """Coordinates (n, rank) of the rows of x along their principal axes; distances are kept unless
    ``scaled``.

    scaled: each coordinate divided by its standard deviation (whitening).
    """
    centred = x.detach().double() - x.detach().double().mean(0)
    if scaled and (spread := centred.std(0)).min() > 0:
        centred = centred / spread
    left, singular, _ = torch.linalg.svd(centred, full_matrices=False)
    return left[:, :rank] * (len(x) ** 0.5 if scaled else singular[:rank])


def _varying(x: Tensor) -> Tensor:
    x = x.detach().double() if x.dtype != torch.float32 else x.detach()
    return x.std(0) > torch.finfo(x.dtype).eps * x.abs().amax(0) * 4
