"""One training in several processes, a device each: every process has a share of each batch.

Lightning Fabric starts the processes and averages the gradients; `devices`, `num_nodes`, `strategy` and `precision` are
its options. Everything else of a fit is done in every process in the same way, so that all come to the same detector;
the first process alone shows progress and writes files. Outside of `divided` there is one process, and nothing here
does anything.

Batch normalisation sees the whole batch on CUDA devices (torch.nn.SyncBatchNorm). PyTorch has no such thing on the CPU:
there each process normalises by its own share, as with smaller batches, and the running statistics are those of the
first process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from entropix._utils import install_hint

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")

_fabric: ContextVar[Fabric | None] = ContextVar("fabric", default=None)


def launch(device: str, devices: int, num_nodes: int = 1) -> Fabric:
    """Launch a Lightning Fabric, with one process for each device, and return it.

    This process is the first; Fabric runs its command again for the others, or finds them in the environment where
    torchrun or a scheduler of jobs started them.

    Args:
        device: "auto", "cpu" or "cuda".
        devices: number of devices on each machine.
        num_nodes: number of machines.

    Raises:
        ModuleNotFoundError: lightning-fabric is missing.
        ValueError: another `device`, such as one GPU by its number.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device={device!r} with {devices} devices on {num_nodes} nodes; expected auto, cpu or cuda")
    try:
        from lightning_fabric import Fabric
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"several devices need lightning-fabric: {install_hint('fabric')}") from error
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=num_nodes)
    fabric.launch()
    return fabric


@contextmanager
def divided(fabric: Fabric | None) -> Iterator[None]:
    """Divide the trainings in this block among the processes of a launched Fabric. None: there is one process."""
    token = _fabric.set(fabric)
    try:
        yield
    finally:
        _fabric.reset(token)


def processes() -> int:
    """Return the number of processes."""
    fabric = _fabric.get()
    return 1 if fabric is None else fabric.world_size


def is_first() -> bool:
    """Return whether this is the process that writes."""
    fabric = _fabric.get()
    return fabric is None or fabric.global_rank == 0


def share(rows: Tensor) -> Tensor:
    """Return this process's share of the rows (n, ...) of a batch: with k processes, every k-th row.

    Raises:
        ValueError: the number of processes does not divide the number of rows, so that rows would have different
            weights; or a process gets fewer than two rows, which have no variance to normalise by.
    """
    fabric, n = _fabric.get(), processes()
    if fabric is None or n == 1:
        return rows
    check_shares(len(rows), n)
    return rows[fabric.global_rank :: n]


def check_shares(rows: int, n: int) -> None:
    """Raise ValueError unless batches of so many rows can be divided among n processes (`share` says why)."""
    if n > 1 and (rows % n or rows < 2 * n):
        raise ValueError(f"a batch of {rows} images can't be divided among {n} processes; take 2, 4, 8, 16 or 32")


def total(x: Tensor) -> Tensor:
    """Return the sum of x over the processes."""
    fabric = _fabric.get()
    return x if fabric is None else fabric.all_reduce(x.clone(), reduce_op="sum")  # type: ignore[return-value]


def first(value: T) -> T:
    """Return the value that the first process has."""
    fabric = _fabric.get()
    return value if fabric is None else fabric.broadcast(value)


Loss = Callable[[Tensor, torch.Generator], Tensor]


@contextmanager
def training(
    model: nn.Module, objective: Loss, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[Loss, Any, Callable[[Tensor], Any]]]:
    """Yield the objective, the optimizer and `backward` as Fabric has them, for this process's share of each batch.

    Afterwards the model is the same in all processes.
    """
    fabric = _fabric.get()
    if fabric is None:
        yield objective, optimizer, Tensor.backward
        return
    plain = {name: one for name, one in model.named_modules() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)}
    if fabric.device.type == "cuda" and processes() > 1:
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # shares their parameters and statistics
    loss, prepared = fabric.setup(_Loss(model, objective), optimizer)
    yield loss, prepared, fabric.backward
    for name, one in plain.items():
        model.set_submodule(name, one)
    for buffer in model.buffers():
        buffer.copy_(fabric.broadcast(buffer))


class _Loss(nn.Module):
    """An objective as a module, whose forward and backward passes Fabric can prepare."""

    def __init__(self, model: nn.Module, objective: Loss) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        return self.objective(batch, generator)
