"""Foreign content in normal images, and the network that learns to find it."""

import pytest
import torch
from torch.nn import functional as F

import entropix
from entropix.scoring import ForeignNetwork, _implants, learn_foreign_content
from entropix.scoring._foreign_network import reduced
from entropix.scoring._implants import LEAST_CHANGE, LEAST_CONTRAST, implant

KINDS = 5


def phantoms(n: int, seed: int = 0, size: int = 32) -> torch.Tensor:
    """Images (n, 1, s, s) on [-1, 1]."""
    return 2 * torch.from_numpy(entropix.datasets.phantoms(n, factors=3, image_size=size, seed=seed).images) - 1


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (1, 32), (3, 48)])
def test_the_mask_is_where_the_images_differ(channels: int, size: int) -> None:
    x = phantoms(200, size=size).expand(-1, channels, -1, -1)
    before = x.clone()
    images, mask = implant(x, generator())
    assert torch.equal(x, before)
    assert images.shape == x.shape
    assert mask.shape == (200, 1, size, size)
    assert set(mask.unique().tolist()) == {0, 1}
    contrast = x.flatten(1).std(1).clamp(min=LEAST_CONTRAST).reshape(-1, 1, 1, 1)
    change = (images - x).abs().amax(1, keepdim=True) / contrast
    assert (change[mask == 1] > LEAST_CHANGE * 0.999).all()
    assert (change[mask == 0] < LEAST_CHANGE * 1.001).all()
    share = mask.mean((1, 2, 3))
    assert (share > 0).float().mean() > 0.7  # content that is nearly what it covers is not foreign
    assert (share < 0.5).float().mean() > 0.9  # a part of the image


def test_implants_are_those_of_the_generator() -> None:
    x = phantoms(40)
    before = torch.random.get_rng_state()
    first, again, other = (implant(x, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.mask, again.mask)
    assert not torch.equal(first.images, other.images)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_kind_of_content_occurs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told apart by what is left of an image that one kind would leave as it is."""
    monkeypatch.setattr(_implants, "_blobs", lambda u, s: torch.ones(len(u), 1, s, s))  # everywhere
    n, size = 300, 32
    line = torch.linspace(-1, 1, size)
    x = (line + 0 * line[:, None]).expand(n, 1, size, size)  # a ramp: the same on each line
    change = implant(x, generator()).images - x
    flat = change.flatten(1).std(1) < 1e-5
    # blurring and sharpening leave the inside of a ramp as it is
    inside = change[..., 4:-4, 4:-4].abs().amax((1, 2, 3)) < 1e-5
    brighter, darker = (flat & (sign * change.mean((1, 2, 3)) > 0.01) for sign in (1, -1))
    share = torch.stack([brighter, darker, inside & ~flat]).float().mean(1)
    assert (share > 1 / KINDS / 4).all()
    rest = ~(flat | inside)
    lines = change.std(2).amax((1, 2))  # noise differs from line to line; a turned ramp too, but smoothly
    steps = change[rest].diff(dim=2).diff(dim=2).abs().mean((1, 2, 3))
    assert (lines[rest] > 1e-3).all()
    assert rest.float().mean().item() == pytest.approx(3 / KINDS, abs=0.1)  # another image, rough, warped
    assert steps.max() > 20 * steps.min()


def test_content_of_another_image_is_of_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of two, one of them bright: the other gets pixels as bright."""
    monkeypatch.setattr(_implants, "STRENGTH", (1e-6, 1e-6))  # of the kinds that have one
    x = torch.stack([torch.zeros(1, 32, 32), torch.ones(1, 32, 32)]) + 0.01 * phantoms(2)
    found = [implant(x, generator(seed)) for seed in range(40)]
    brightest = torch.tensor([one.images[0].max() for one in found])
    assert 3 < (brightest > 0.5).sum() < 20


def test_images_are_reduced_to_a_fixed_scale() -> None:
    for size, small in ((16, 16), (32, 32), (48, 48), (64, 32), (112, 37), (128, 32)):
        assert reduced(torch.zeros(1, 1, size, size)).shape[-1] == small
    assert reduced(phantoms(2, size=64)).mean().item() == pytest.approx(phantoms(2, size=64).mean().item(), abs=1e-5)


def test_the_network_finds_foreign_content_that_it_has_not_seen() -> None:
    seen: list[int] = []
    network = learn_foreign_content(
        phantoms(192), epochs=30, seed=0, on_epoch=lambda epoch, loss, model: seen.append(epoch)
    )
    assert seen == list(range(1, 31))
    assert not network.training
    assert not any(one.requires_grad for one in network.parameters())
    images, mask = implant(phantoms(100, seed=1), generator(5))
    with torch.inference_mode():
        logits, untrained = network(images), ForeignNetwork(1).eval()(images)
    inside = F.avg_pool2d(mask, 2)
    foreign, normal = inside == 1, inside == 0
    assert logits[foreign].mean() > logits[normal].mean() + 0.5
    assert (untrained[foreign].mean() - untrained[normal].mean()).abs() < 0.2
    assert [tuple(one.shape) for one in network.activations(images[:2])] == [
        (2, 16, 32, 32),
        (2, 16, 32, 32),
        (2, 32, 16, 16),
        (2, 32, 16, 16),
        (2, 32, 16, 16),
    ]


def test_networks_of_one_seed_are_one() -> None:
    before = torch.random.get_rng_state()
    x = phantoms(64)
    first, again, other = (learn_foreign_content(x, epochs=1, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one, two) for one, two in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(first.parameters(), other.parameters(), strict=True))
