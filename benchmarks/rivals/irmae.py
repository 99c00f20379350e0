"""IRMAE-WD: d as the rank that gradient descent leaves in a code behind linear layers.

Jing, Zbontar and LeCun (NeurIPS 2020) put square linear layers between encoder and code: gradient descent then prefers
codes of low rank. Zeng, Perez De Jesus, Fox and Graham (Machine Learning: Science and Technology 2024) add weight
decay, which widens the gap in the spectrum, and read d off it. As in their demonstration: four layers without bias,
AdamW, learning rate 1e-3, weight decay 1e-6, mean squared error.
"""

import torch
from torch import Tensor, nn

from entropix._utils import in_batches
from entropix.models import Autoencoder
from entropix.training import TRAINING_BATCH

WIDTH = 128  # of the code, the sweep's largest d
LAYERS = 4
WEIGHT_DECAY = 1e-6


def train_irmae(images: Tensor, *, epochs: int, seed: int) -> Autoencoder:
    """The autoencoder with its linear layers, trained on images (n, c, s, s) on [-1, 1]."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Autoencoder(WIDTH, images.shape[1], images.shape[-1])
        linear = [nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)]
    model.to_code = nn.Sequential(model.to_code, *linear)
    model.to(images.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for batch in order.split(TRAINING_BATCH)[: len(images) // TRAINING_BATCH]:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(images[batch]), images[batch]).backward()
            optimizer.step()
    return model.eval()


def spectrum(model: Autoencoder, images: Tensor) -> Tensor:
    """Singular values (128,) of the covariance of the codes, descending, the largest being 1."""
    values = torch.linalg.svdvals(in_batches(model.encode, images).double().T.cov())
    return values / values[0]


def rank(values: Tensor) -> int:
    """Singular values before the widest gap (on a logarithmic scale). What float32 can't tell from zero is zero."""
    resolution = torch.finfo(torch.float32).eps
    levels = values.clamp(min=resolution).log()
    return int((levels[:-1] - levels[1:]).argmax()) + 1
