"""Files from others: loading them executes nothing, and sizes that they only claim are not allocated."""

from __future__ import annotations

import io
import json
import pickle
import resource
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import entropix
from entropix.data import DataError, read
from entropix.exceptions import ModelError

SPARE = 2 * 2**30  # bytes that a test may allocate


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a model."""
    images = entropix.datasets.phantoms(100, image_size=16).images
    folder = tmp_path_factory.mktemp("models") / "model"
    entropix.fit(images, latent_dim=2, epochs=1, image_size=16, device="cpu", progress=False, out=folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def model(content: dict[str, bytes], tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def _little_memory() -> Iterator[None]:
    """What allocates much more than it should is a MemoryError."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("name", ["model.safetensors", "detector.json"])
@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_pickles_in_a_model_are_not_loaded(model: Path, name: str, kind: str) -> None:
    if kind == "pickle":
        (model / name).write_bytes(pickle.dumps(Bomb()))
    else:
        torch.save({"model.to_code.weight": Bomb()}, model / name)
    with pytest.raises(ModelError, match=r"damaged|not JSON"):
        entropix.load(model)


def test_a_pickle_beside_a_model_is_not_looked_at(model: Path) -> None:
    for name in ("model.pt", "pytorch_model.bin", "detector.pkl"):
        (model / name).write_bytes(pickle.dumps(Bomb()))
    assert entropix.load(model).latent_dim_ == 2


def with_header(data: bytes, change: dict[str, Any], size: int | None = None) -> bytes:
    """A safetensors file whose header claims something else about its first tensor."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    first = next(name for name in header if name != "__metadata__")
    header[first] |= change
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data[8 + length :]


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize(
    ("change", "size"),
    [
        ({"shape": [2**40]}, None),
        ({"shape": [2**63, 2]}, None),
        ({"shape": [2**38], "data_offsets": [0, 2**40]}, None),
        ({"data_offsets": [2**40, 2**40 + 4]}, None),
        ({"data_offsets": [4, 0]}, None),
        ({}, 2**62),
        ({}, 2**33),
    ],
)
def test_headers_that_lie_about_sizes(model: Path, change: dict[str, Any], size: int | None) -> None:
    path = model / "model.safetensors"
    path.write_bytes(with_header(path.read_bytes(), change, size))
    with pytest.raises(ModelError, match="damaged"):
        entropix.load(model)


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize("change", [{"latent_dim": 10**10}, {"channels": 10**10}, {"image_size": 16 * 10**7}])
def test_descriptions_that_lie_about_sizes(model: Path, change: dict[str, int]) -> None:
    path = model / "detector.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"model": about["model"] | change}))
    with pytest.raises(ModelError, match="damaged") as caught:
        entropix.load(model)
    assert "allocate" not in str(caught.value)


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays_that_lie_about_sizes(tmp_path: Path, suffix: str) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**32, 64, 64)})
    path = tmp_path / f"images.{suffix}"
    if suffix == "npy":
        path.write_bytes(header.getvalue() + bytes(100))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", header.getvalue() + bytes(100))
    with pytest.raises(DataError, match="not an archive of arrays that can be read"):
        read(path)
