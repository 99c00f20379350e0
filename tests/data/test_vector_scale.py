"""Features are scaled at any magnitude; those that are constant up to rounding keep their unit."""

import numpy as np
import pytest
import torch

from entropix.data import Standard


@pytest.mark.parametrize("unit", [1e-308, 1e-200, 1e-3, 1.0, 1e200, 1e300])
def test_any_unit(unit: float, rng: np.random.Generator) -> None:
    x = torch.from_numpy(rng.standard_normal((50, 3)) + 2)
    expected = Standard.fit(x).apply(x)
    torch.testing.assert_close(Standard.fit(x * unit).apply(x * unit), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-200, 0.1, 1.0, 1e200])
def test_constants(unit: float) -> None:
    x = torch.full((49, 1), unit, dtype=torch.float64)
    rounded = torch.cat([x, x * (1 + 2**-51)])
    for values in (x, rounded):
        standard = Standard.fit(values)
        assert standard.spread.item() == 1
        assert standard.centre.item() == pytest.approx(unit)


def test_scaling_by_powers_of_two_changes_no_digit(rng: np.random.Generator) -> None:
    x = torch.from_numpy(rng.standard_normal((50, 4)) * 37)
    assert torch.equal(Standard.fit(x).spread, x.std(0, correction=0))
