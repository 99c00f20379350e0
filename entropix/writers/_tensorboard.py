"""A fit on TensorBoard, through PyTorch's own writer."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropix._utils import Epoch, install_hint
from entropix.writers._tracking import numbers_of

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """An `on_epoch` for a fit: it writes the numbers of every `Epoch` to a folder, for `tensorboard --logdir folder`.

    A resumed fit writes to the same folder; what the interrupted one wrote of epochs that are trained again is hidden.

    Args:
        folder: for TensorBoard's logs.

    Raises:
        ModuleNotFoundError: the extra `tensorboard` is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        if find_spec("tensorboard") is None:
            raise ModuleNotFoundError(f"TensorBoard's logs need tensorboard: {install_hint('tensorboard')}")
        self.folder = Path(folder)
        self._writer: SummaryWriter | None = None

    def __call__(self, at: Epoch) -> None:
        writer: Any = self._writer or self._open(at)
        for name, value in numbers_of(at).items():
            writer.add_scalar(name, value, at.epoch)
        writer.flush()
        if at.epoch == at.epochs:
            writer.close()

    def _open(self, at: Epoch) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder), purge_step=at.epoch)
        return self._writer
