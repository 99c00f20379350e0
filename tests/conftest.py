"""Seeds, the hypothesis profile and the gpu marker."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as entropix does, before torch is imported

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("entropix", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("entropix")


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is written to, or read from, the user's cache and data folders."""
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        os.environ[name] = str(tmp_path_factory.mktemp(name.lower()))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        message = "no CUDA device"
        if os.environ.get("ENTROPIX_REQUIRE_CUDA") == "1":
            pytest.fail(f"{message}, and ENTROPIX_REQUIRE_CUDA=1 asks for one")
        pytest.skip(message)
