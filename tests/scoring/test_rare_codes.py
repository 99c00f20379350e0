"""Codes of normal images that are rare: there must be enough of them for the latent term to know."""

import torch

from entropix.scoring import LatentModel


def test_a_code_like_one_training_image_in_a_hundred_is_usual() -> None:
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(4000, 2, generator=generator)
    rare = torch.rand(4000, generator=generator) < 0.01
    codes[rare] = codes[rare] / 4 + torch.tensor([8.0, 0.0])
    train, held_out = codes[:3000], codes[3000:]
    model = LatentModel.fit(train)
    model = model.scaled(model.surprise(held_out[~rare[3000:]]))
    assert len(model.codes) == 3000
    new = held_out[rare[3000:]]
    assert len(new) > 5
    assert (model.nats(model.surprise(new)) == 0).all()
    nowhere = torch.tensor([[0.0, 8.0], [-8.0, 0.0], [8.0, 4.0]])  # as far from others, or nearer
    assert (model.nats(model.surprise(nowhere)) > 2).all()
