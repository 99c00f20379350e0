"""The training loop of the paper's public benchmark (MedIAnomaly, Cai et al. 2024), re-created.

Its data set opens every image once with Pillow, converts it to grey, resizes it (bilinear) and keeps it; each item is
brought to a tensor and to [-1, 1] one by one; a loader without worker processes shuffles and stacks them. The loop is
Adam at 1e-3 with its defaults on the mean squared error, in batches of 64 and what is left, and asks for the loss of
every batch. The two steps that items go through are torchvision's ToTensor and Normalize, written out here in the same
operations, since nothing else here needs torchvision.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from entropix.models import Autoencoder

TRAINING_BATCH, LEARNING_RATE = 64, 1e-3


class Images(Dataset):
    """Grey images of files, resized.

    kept: decode each once, as the benchmark does; otherwise whenever it is asked for, as most loaders do.
    """

    def __init__(self, paths: Sequence[Path], size: int, *, kept: bool = True) -> None:
        self.paths, self.size = paths, size
        self.decoded = [self._open(path) for path in paths] if kept else None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = self._open(self.paths[index]) if self.decoded is None else self.decoded[index]
        return {"img": _normalise(_to_tensor(image)), "label": 0, "name": self.paths[index].stem}

    def _open(self, path: Path) -> Image.Image:
        return Image.open(path).convert("L").resize((self.size, self.size), resample=Image.Resampling.BILINEAR)


class BenchmarkLoop:
    """The benchmark's autoencoder, untrained, its data and its loop."""

    def __init__(self, images: Images, latent_dim: int, seed: int, device: torch.device) -> None:
        torch.manual_seed(seed)
        self.model = Autoencoder(latent_dim, 1, images.size).to(device)
        self.loader = DataLoader(images, batch_size=TRAINING_BATCH, shuffle=True)
        self.optimizer = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)
        self.device = device

    def epoch(self) -> float:
        """One pass over the images; their mean loss."""
        self.model.train()
        total = 0.0
        for items in self.loader:
            batch = items["img"].to(self.device)
            loss = nn.functional.mse_loss(self.model(batch), batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(batch)
        return total / len(self.loader.dataset)  # type: ignore[arg-type]


def _to_tensor(image: Image.Image) -> Tensor:
    values = torch.from_numpy(np.array(image, np.uint8, copy=True)).view(image.height, image.width, 1)
    return values.permute(2, 0, 1).contiguous().to(torch.get_default_dtype()).div(255)


def _normalise(image: Tensor) -> Tensor:
    mean, deviation = (torch.as_tensor((0.5,), dtype=image.dtype)[:, None, None] for _ in range(2))
    return image.clone().sub_(mean).div_(deviation)
