"""Heat maps against masks: the measures of scikit-learn, the definition of AUPRO, and any order of counting."""

import numpy as np
import pytest
from scipy.ndimage import label
from sklearn.metrics import average_precision_score

from entropix.scoring import Overlap, levels_of


@pytest.fixture
def case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((5, 24, 24), dtype=bool)
    mask[1:4, 3:9, 3:9] = True
    mask[0, 15, 15:20] = True
    return rng.normal(size=mask.shape) + 1.5 * mask, mask


def plain_aupro(heat: np.ndarray, mask: np.ndarray) -> float:
    """By the definition, a threshold at every value."""
    regions, count = label(mask, np.ones((3, 3, 3)))
    rates, found = [0.0], [0.0]
    for level in np.unique(heat)[::-1]:
        above = heat >= level
        rates.append(float(above[~mask].mean()))
        found.append(float(np.mean([above[regions == i + 1].mean() for i in range(count)])))
    grid = np.linspace(0, 0.3, 100_001)
    return float(np.trapezoid(np.interp(grid, rates, found), grid) / 0.3)


def test_exact_with_all_levels(case: tuple[np.ndarray, np.ndarray]) -> None:
    heat, mask = case
    overlap = Overlap(np.unique(heat))
    overlap.add(heat, mask)
    found = overlap.metrics()
    assert found["ap"] == pytest.approx(average_precision_score(mask.ravel(), heat.ravel()))
    dice = [2 * (mask & (heat >= t)).sum() / (mask.sum() + (heat >= t).sum()) for t in np.unique(heat)]
    assert found["best_dice"] == pytest.approx(max(dice))
    assert found["aupro"] == pytest.approx(plain_aupro(heat, mask), abs=1e-4)
    assert overlap.counts == {"voxels": mask.size, "lesion_voxels": int(mask.sum()), "regions": 2}


def test_levels_of_coarser_maps_are_enough(case: tuple[np.ndarray, np.ndarray]) -> None:
    heat, mask = case
    exact, coarse = Overlap(np.unique(heat)), Overlap(levels_of(heat[:, ::2, ::2]))
    for one in (exact, coarse):
        one.add(heat, mask)
    for name, value in exact.metrics().items():
        assert coarse.metrics()[name] == pytest.approx(value, abs=0.02)


def test_parts_add_up(case: tuple[np.ndarray, np.ndarray]) -> None:
    heat, mask = case
    whole, parts = (Overlap(np.unique(heat)) for _ in range(2))
    for _ in range(2):
        whole.add(heat, mask)
        part = Overlap(whole.levels)
        part.add(heat, mask)
        parts.merge(part)
    assert parts.metrics() == pytest.approx(whole.metrics())


def test_nothing_marked_and_all_found(rng: np.random.Generator) -> None:
    heat = rng.random((1, 8, 8))
    empty = Overlap(levels_of(heat))
    empty.add(heat, np.zeros(heat.shape, dtype=bool))
    assert empty.metrics() == {}
    mask = heat > 0.8
    perfect = Overlap(np.unique(heat))
    perfect.add(heat, mask)
    assert perfect.metrics() == pytest.approx({"ap": 1, "best_dice": 1, "aupro": 1})
