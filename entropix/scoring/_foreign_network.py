"""The foreign-content network: it learns to find foreign content in normal images, and so what to look at in them.

It is trained on normal training images, half of them with foreign content (`_implants`), to tell at every place whether
it is foreign: the logistic likelihood ratio. Its own answer is of no use beyond what it was trained on. Its activations
are: they describe an image by what tells foreign content from normal one, and where normal images lie among them
(`_activations`) says more about an image than the activations of an encoder that learnt to reconstruct alone (Li et al.
2021 do so with CutPaste).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from entropix._utils import seeded
from entropix.data import ImageView
from entropix.scoring._implants import implant
from entropix.training import Checkpoint, OnEpoch, train

WIDTH = 16
SIZE = 32  # pixels; larger images are averaged down to less than twice this


class ForeignNetwork(nn.Module):
    """A network from images (n, channels, s, s) to the logit that a place is foreign.

    Args:
        channels: channels of the images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

        def stage(i: int, o: int, dilation: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(i, o, 3, padding=dilation, dilation=dilation), nn.BatchNorm2d(o), nn.ReLU()]

        self.stages = nn.ModuleList(
            [
                nn.Sequential(*stage(channels, WIDTH)),
                nn.Sequential(*stage(WIDTH, WIDTH)),
                nn.Sequential(nn.AvgPool2d(2), *stage(WIDTH, 2 * WIDTH)),
                nn.Sequential(*stage(2 * WIDTH, 2 * WIDTH, dilation=2)),
                nn.Sequential(*stage(2 * WIDTH, 2 * WIDTH, dilation=4)),
            ]
        )
        self.last = nn.Conv2d(2 * WIDTH, 1, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def activations(self, x: Tensor) -> list[Tensor]:
        """Return what each stage makes of images (`reduced` to the network's size): a list of (n, channels, h, w)."""
        x, found = reduced(x), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (n, 1, h, w) of images, at half the network's resolution."""
        logits: Tensor = self.last(self.activations(x)[-1])
        return logits


def reduced(x: Tensor) -> Tensor:
    """Return images (n, c, s, s) averaged down to between 32 and 63 pixels; smaller ones as they are."""
    factor = max(1, x.shape[-1] // SIZE)
    return F.avg_pool2d(x, factor) if factor > 1 else x


def learn_foreign_content(
    images: Tensor | ImageView,
    *,
    epochs: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
    checkpoint: Checkpoint | None = None,
    name: str = "foreign-content",
) -> ForeignNetwork:
    """Train a foreign-content network on normal images, and return it without gradients.

    Args:
        images: at least 64 distinct training images (n, c, s, s) on [-1, 1].
        epochs: passes over them.
        seed: seed of the weights, the order and the foreign content.
        on_epoch: called after every epoch.
        checkpoint: keeps the state of the training.
        name: name of this training in the checkpoint.
    """
    with seeded(seed):
        network = ForeignNetwork(images.shape[1]).to(images.device)

    def error(batch: Tensor, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            x = reduced(batch)
            normal, changed = x.tensor_split(2)
            foreign = implant(changed, generator)
            x = torch.cat([normal, foreign.images])
            mask = torch.cat([torch.zeros_like(normal[:, :1]), foreign.mask])
            mirrored = torch.rand(len(x), 1, 1, 1, generator=generator).to(x.device) < 0.5
            x, mask = (torch.where(mirrored, part.flip(-1), part) for part in (x, mask))
        return F.binary_cross_entropy_with_logits(network(x), F.avg_pool2d(mask, 2))

    train(
        network,
        images,
        error,
        epochs=epochs,
        seed=seed,
        one_cycle=True,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
        name=name,
    )
    return network.requires_grad_(False)
