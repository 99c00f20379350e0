"""Phantoms: as many factors as asked, all of comparable effect; lesions where their masks say."""

import time

import numpy as np
import pytest
import torch

from entropix.datasets import KINDS, MAX_FACTORS, implant_lesions, phantoms
from entropix.datasets._phantoms import FACTORS, render


def jacobian(factors: np.ndarray, image_size: int, step: float = 0.02) -> np.ndarray:
    """d(image)/d(factor), (n, f, p), by central differences."""
    columns = []
    for shift in step * np.eye(factors.shape[1]):
        images = [render(factors + sign * shift, image_size)[0].reshape(len(factors), -1) for sign in (1, -1)]
        columns.append((images[0] - images[1]) / (2 * step))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("image_size", [32, 64])
def test_factors_are_independent_and_of_comparable_effect(rng: np.random.Generator, image_size: int) -> None:
    slopes = jacobian(rng.uniform(-0.9, 0.9, (20, MAX_FACTORS)), image_size)
    energy = (slopes**2).mean((0, 2))
    assert energy.max() / energy.min() < 1.5, dict(zip(FACTORS, energy, strict=True))
    directions = slopes / np.linalg.norm(slopes, axis=2, keepdims=True)
    cosines = np.abs(np.einsum("nip,njp->nij", directions, directions)) - np.eye(MAX_FACTORS)
    assert cosines.mean(0).max() < 0.7
    singular = np.linalg.svd(directions, compute_uv=False)
    assert (singular[:, -1] / singular[:, 0]).min() > 0.1


@pytest.mark.parametrize("count", [1, 5, MAX_FACTORS])
def test_as_many_factors_as_asked(count: int) -> None:
    made = phantoms(6, count, noise=0)
    assert made.factors.shape == (6, count)
    assert np.abs(made.factors).max() <= 1
    slopes = jacobian(0.9 * made.factors, 64)
    assert (np.linalg.matrix_rank(slopes, tol=0.05 * np.linalg.norm(slopes, axis=(1, 2), ord=2)) == count).all()
    again = render(made.factors, 64)[0]
    np.testing.assert_array_equal(made.images, again)


def test_factors_are_uniform_and_independent() -> None:
    factors = phantoms(2000, 8, image_size=16).factors
    np.testing.assert_allclose(factors.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(factors.std(0), 3**-0.5, atol=0.03)
    assert np.abs(np.corrcoef(factors.T) - np.eye(8)).max() < 0.1


def test_intrinsic_dimension_of_noiseless_images() -> None:
    from scipy.spatial.distance import pdist, squareform

    images = phantoms(800, 4, noise=0, image_size=32).images.reshape(800, -1).astype(np.float64)
    distances = np.sort(squareform(pdist(images)), axis=1)[:, 1:12]
    # Levina and Bickel (2004), known to fall somewhat below the true dimension
    dimension = 1 / np.log(distances[:, -1:] / distances[:, :-1]).mean()
    assert 3.2 < dimension < 4.5


def test_same_seed_same_images() -> None:
    first, second, other = (phantoms(30, 3, lesions=0.5, seed=seed) for seed in (1, 1, 2))
    for name in ("images", "labels", "masks", "factors"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_lesions_are_where_the_masks_say() -> None:
    sick = phantoms(200, 4, lesions=0.3, noise=0)
    healthy, brains = render(sick.factors, 64)
    assert sick.images.dtype == np.float32
    assert sick.images.shape == (200, 1, 64, 64)
    assert sick.images.min() >= 0
    assert sick.images.max() <= 1
    assert sick.labels.sum() == 60
    assert np.array_equal(sick.masks.any((1, 2)), sick.labels == 1)
    assert not (sick.masks & ~brains).any()
    change = np.abs(sick.images - healthy)[:, 0]
    assert np.array_equal(change.max((1, 2)) > 0, sick.labels == 1)
    inside, outside = change[sick.masks].mean(), change[~sick.masks].mean()
    assert inside > 100 * outside


@pytest.mark.parametrize("lesions", [False, True])
def test_none_or_all(lesions: bool) -> None:
    assert (phantoms(10, 2, lesions=lesions).labels == lesions).all()


def test_noise() -> None:
    clean, noisy = (phantoms(20, 2, noise=noise) for noise in (0, 0.02))
    difference = (noisy.images - clean.images)[clean.images > 0.2]
    assert difference.std() == pytest.approx(0.02, rel=0.05)
    assert difference.mean() == pytest.approx(0, abs=0.001)


def test_a_thousand_images_take_about_a_second() -> None:
    started = time.process_time()
    phantoms(1000, MAX_FACTORS, lesions=0.5)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"factors": 0}, {"factors": 17}, {"lesions": 1.5}, {"image_size": 4}, {"noise": -0.1}]
)
def test_wrong_arguments(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name}=.*; expected"):
        phantoms(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(30, 1, 48, 48), (10, 3, 30, 50)])
def test_implanted_lesions(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> None:
    images = np.zeros(shape, np.float32)
    images[..., 10:-8, 12:-6] = rng.uniform(0.3, 0.7, images[..., 10:-8, 12:-6].shape)
    before = images.copy()
    changed, masks = implant_lesions(images, seed=3, kinds=[kind])
    assert np.array_equal(images, before)
    of_tensor = implant_lesions(torch.from_numpy(images), seed=3, kinds=[kind])
    assert all(np.array_equal(a, b) for a, b in zip(of_tensor, (changed, masks), strict=True))
    assert changed.shape == shape
    assert changed.dtype == np.float32
    assert masks.shape == (shape[0], *shape[2:])
    assert masks.any((1, 2)).all()
    assert changed.min() >= 0
    assert changed.max() <= 1
    change = np.abs(changed - images).mean(1)
    assert (change.max((1, 2)) > 0.02).all()
    assert change[masks].mean() > (4 if kind == "mass" else 10) * change[~masks].mean()
    # on the body, not in the black background
    body = np.zeros(shape[2:], bool)
    body[7:-5, 9:-3] = True
    if kind != "mass":
        assert not (masks & ~body).any()
    if kind in ("bright", "dark"):
        sign = 1 if kind == "bright" else -1
        assert (sign * (changed - images)).min() > -1e-6
    again = implant_lesions(images, seed=3, kinds=[kind])
    assert np.array_equal(again[0], changed)
    assert not np.array_equal(implant_lesions(images, seed=4, kinds=[kind])[1], masks)


def test_implanting_without_body_or_images() -> None:
    masks = implant_lesions(np.zeros((2, 1, 16, 16)), size=(0.2, 0.2))[1]
    assert masks.any((1, 2)).all()
    assert implant_lesions(np.zeros((0, 1, 16, 16)))[1].shape == (0, 16, 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kinds": ["star"]}, "expected some of bright, dark, texture, mass"),
        ({"kinds": []}, "expected some of"),
        ({"size": (0.2, 0.1)}, r"size=\(0.2, 0.1\); expected 0 < lowest"),
        ({"contrast": (0, 0.1)}, r"contrast=\(0, 0.1\); expected 0 < lowest"),
        ({"images": np.zeros((2, 8, 8))}, r"expected \(n, c, h, w\)"),
        ({"images": np.full((2, 1, 8, 8), 255)}, r"expected \[0, 1\]: scale them first"),
        ({"images": np.full((2, 1, 8, 8), np.nan)}, r"expected \[0, 1\]"),
    ],
)
def test_wrong_lesions(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"images": np.zeros((2, 1, 8, 8)), **change}
    with pytest.raises(ValueError, match=message):
        implant_lesions(**arguments)  # type: ignore[arg-type]
