"""The order of distinct training images, of which parts are taken as samples."""

import numpy as np
import torch

from entropix.data import read
from entropix.training import TrainingData


def test_distinct_training_images_are_in_random_order() -> None:
    """The first of them stand for all in entropies and neighbours, and a file's order may be that of patients."""
    brightness = np.linspace(0.1, 0.9, 300, dtype=np.float32)
    noise = 0.1 * np.random.default_rng(0).random((300, 1, 16, 16), dtype=np.float32)
    images = brightness[:, None, None, None] + noise
    data = TrainingData.from_images(read(images, image_size=16), 0, torch.device("cpu"))
    for part in (data.distinct, data.held_out):
        means = part[:].mean((1, 2, 3)).numpy()
        assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3
    together = torch.cat([data.distinct[:], data.held_out]).mean((1, 2, 3)).sort().values
    torch.testing.assert_close(together, data.train[:].new_tensor(2 * images.mean((1, 2, 3)) - 1).sort().values)
