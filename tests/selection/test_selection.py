"""The choice of d: its parts, and the whole on simulated images with a known number of factors."""

import math
from collections.abc import Callable

import pytest
import torch

from entropix.estimators._signal_space import SignalSpace
from entropix.models import Autoencoder
from entropix.selection import Curve
from entropix.selection._perturbations import perturbations


def low_rank(n: int, rank: int, noise: float, seed: int = 0) -> torch.Tensor:
    """Images (n, 1, 16, 16): `rank` smooth orthogonal patterns of variance 1, and white noise."""
    generator = torch.Generator().manual_seed(seed)
    patterns, _ = torch.linalg.qr(torch.randn(256, rank, generator=torch.Generator().manual_seed(1)))
    signal = torch.randn(n, rank, generator=generator) @ patterns.T
    return (signal + noise * torch.randn(n, 256, generator=generator)).reshape(n, 1, 16, 16)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_signal_space_counts_components_above_noise(rank: int) -> None:
    space = SignalSpace.from_images(low_rank(400, rank, noise=0.02))
    assert space.axes.shape == (256, rank)


def test_signal_space_keeps_distances() -> None:
    x = low_rank(100, 3, noise=0.0) + 5
    space = SignalSpace.from_images(low_rank(400, 3, noise=0.01))
    torch.testing.assert_close(torch.pdist(space.project(x)), torch.pdist(x.flatten(1)), rtol=1e-2, atol=1e-3)


def test_perturbations_change_every_image_somewhere() -> None:
    x = torch.rand(20, 1, 32, 32)
    found = list(perturbations(x, draws=2, seed=0))
    assert len(found) == 8
    for changed, strength in zip(found, (0.25, 0.5, 1.0, None) * 2, strict=True):
        assert changed.shape == x.shape
        difference = (changed - x).abs().flatten(1)
        assert (difference.amax(1) > 0).all()
        if strength is None:
            assert (difference == 0).any(1).all()  # only a square
        else:
            assert difference.amax().item() == pytest.approx(strength * x.std().item(), rel=0.05)
    again = list(perturbations(x, draws=2, seed=0))
    assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))


class Through(Autoencoder):
    """Images are codes, and the reconstruction is a given function of them."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(1, image_size=16)
        self.function = function

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def decode_prefix(self, z: torch.Tensor, d: int | torch.Tensor) -> torch.Tensor:
        return self.function(z)


def test_codes_that_pass_all_the_right_or_nothing() -> None:
    torch.manual_seed(0)
    x = low_rank(120, 3, noise=0.01)
    curve = Curve(x[:80], x[80:], seed=0)
    space = SignalSpace.from_images(x[:80])

    def project(z: torch.Tensor) -> torch.Tensor:
        return (space.project(z) @ space.axes.T + space.mean).reshape(z.shape)

    everything = curve.measure(Through(lambda z: z + 1e-3 * torch.randn_like(z)), (1,))[0]
    assert everything.visibility == pytest.approx(0.5, abs=0.05)
    right = curve.measure(Through(project), (1,))[0]
    assert right.visibility > 0.95
    for point in (everything, right):  # both keep all that normal images say
        assert point.entropy == pytest.approx(float(curve.entropy), abs=0.1)
    nothing = curve.measure(Through(torch.zeros_like), (1,))[0]
    assert nothing.visibility < right.visibility - 0.3
    assert -1e4 < nothing.entropy < right.entropy - 10


@pytest.mark.slow
@pytest.mark.parametrize("factors", [2, 4, 8])
def test_chosen_d_follows_the_true_number_of_factors(factors: int) -> None:
    import entropix

    images = entropix.datasets.phantoms(600, factors, seed=factors).images
    detector = entropix.fit(images, epochs=80, seed=0, progress=False)
    assert factors <= detector.latent_dim_ <= 2 * factors
    assert detector.entropy_ is not None
    assert detector.entropy_.dimension == pytest.approx(factors, rel=0.2)
    at = {row["latent_dim"]: row["entropy"] for row in detector.curve_}
    missing = {d: at[128] - at[d] for d in at}
    assert missing[factors // 2] > 10 * missing[factors]
    assert math.isfinite(missing[1])
