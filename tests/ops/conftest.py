"""Every instruction set that this processor runs."""

import pytest

from entropix import _native

LEVELS = ["portable", "avx2", "avx512"]


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest):
    native, before = _native.load(), _native.load().simd_level()
    if request.param not in native.simd_levels():
        pytest.skip(f"this processor does not run {request.param}")
    native.set_simd_level(request.param)
    yield request.param
    native.set_simd_level(before)
