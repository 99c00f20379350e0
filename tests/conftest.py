"""Seeds, the hypothesis profile, small images and the gpu marker."""

import importlib
import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as entropix does, before torch is imported
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes: more threads would only wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import settings

import entropix

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


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Normal images (100, 1, 16, 16) on [0, 1]."""
    return entropix.datasets.phantoms(100, factors=3, image_size=16).images


@pytest.fixture(scope="session")
def mixed() -> entropix.datasets.Phantoms:
    """Forty more like them, half of them with lesions."""
    return entropix.datasets.phantoms(40, factors=3, lesions=0.5, image_size=16, seed=1)


@pytest.fixture
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strategies have three d to measure."""
    for strategy in ("_select", "_prune", "_constrain"):
        monkeypatch.setattr(importlib.import_module(f"entropix.strategies.{strategy}"), "CANDIDATES", (1, 2, 4))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        message = "no CUDA device"
        if os.environ.get("ENTROPIX_REQUIRE_CUDA") == "1":
            pytest.fail(f"{message}, and ENTROPIX_REQUIRE_CUDA=1 asks for one")
        pytest.skip(message)
