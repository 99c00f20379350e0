"""Rank of a sample, and coordinates on the subspace that it spans."""

from __future__ import annotations

import torch
from torch import Tensor


def constant_columns(x: Tensor) -> int:
    """Count the columns of x (n, d) without variation beyond rounding."""
    return int((~_varying(x)).sum())


def spanned_dimensions(x: Tensor) -> int:
    """Return the dimension of the affine subspace that the rows of x (n, d) span, to the precision of its dtype.

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
    return numerical_rank(centred / centred.std(0), max(n, d) * eps)


def numerical_rank(x: Tensor, rounding: float) -> int:
    """Count the singular values of x (n, d), n > d, float64, that exceed `rounding` times the largest."""
    squared = torch.linalg.eigvalsh(x.T @ x)
    if squared[0] > squared[-1] * max(rounding, max(x.shape) * torch.finfo(torch.float64).eps ** 0.5):
        return x.shape[1]  # clearly of full rank; squaring loses half the digits, so the rest is looked at closely
    singular = torch.linalg.svdvals(x)
    return int((singular > singular[0] * rounding).sum())


def whitened_coordinates(x: Tensor, rank: int) -> Tensor:
    """Return the coordinates (n, rank) of the rows of x along their principal axes, each of unit variance."""
    centred = x.detach().double() - x.detach().double().mean(0)
    spread = centred.std(0)
    left = torch.linalg.svd(centred / torch.where(spread > 0, spread, 1.0), full_matrices=False)[0]
    coordinates: Tensor = left[:, :rank] * len(x) ** 0.5
    return coordinates


def subspace_coordinates(x: Tensor, rank: int) -> Tensor:
    """Return the coordinates (n, rank) of the rows of x in the subspace that they span; distances are kept.

    The axes are turned at random: principal axes would be fitted to the sample, which biases what is estimated next.
    Before that their largest entries are made positive, as signs differ from machine to machine.
    """
    centred = x.detach().double() - x.detach().double().mean(0)
    span = torch.linalg.svd(centred, full_matrices=False)[2][:rank]
    span = span * span.gather(1, span.abs().argmax(1, keepdim=True)).sign()
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn((rank, rank), generator=generator, dtype=torch.float64))[0]
    coordinates: Tensor = centred @ (turn.to(x.device) @ span).T
    return coordinates


def _varying(x: Tensor) -> Tensor:
    x = x.detach().double() if x.dtype != torch.float32 else x.detach()
    return x.std(0) > torch.finfo(x.dtype).eps * x.abs().amax(0) * 4
