"""A model for nodes."""

from pathlib import Path

import pytest

import entropix


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    normal = entropix.datasets.phantoms(100, 3, image_size=16).images
    folder = tmp_path_factory.mktemp("node") / "model"
    entropix.fit(normal, latent_dim=2, image_size=16, epochs=1, progress=False, out=folder, device="cpu")
    return folder
