"""Containers that NumPy would take for something else: read in the order of their rows, or refused in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

import entropix
from entropix.data import DataError, are_vectors, check_vectors, read

N = 4


@pytest.fixture
def array(rng: np.random.Generator) -> np.ndarray:
    return rng.random((N, 8, 8), dtype=np.float32)


@pytest.fixture
def paths(array: np.ndarray, tmp_path: Path) -> list[str]:
    found = [str(tmp_path / f"{name}.png") for name in "dbca"]
    for path, image in zip(found, array, strict=True):
        Image.fromarray((image * 255).astype(np.uint8)).save(path)
    return found


class Named:
    """As a series of pandas: labels are looked up, rows are in `__array__`."""

    def __init__(self, values: Any) -> None:
        self.values = np.empty(len(values), dtype=object)
        self.values[:] = values
        self.shape, self.ndim = self.values.shape, 1

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, label: int) -> Any:
        return self.values[len(self.values) - 1 - label]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values


class Lazy:
    """As an array of xarray or Dask: its parts are of its own type."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.ndim, self.dtype = values, values.shape, values.ndim, values.dtype

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> "Lazy":
        return Lazy(self.values[index])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values


class OneBuffer(list[np.ndarray]):
    """A data set that gives every image in the same memory."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__(images)
        self.buffer = np.empty_like(images[0])

    def __getitem__(self, index: Any) -> Any:
        self.buffer[:] = super().__getitem__(index)
        return self.buffer

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))


def series(values: Any) -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.Series(list(values), index=range(len(values))[::-1])


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.setflags(write=False)
    return array


CONTAINERS: dict[str, Callable[[np.ndarray], Any]] = {
    "named": lambda x: Named(list(x)),
    "series": lambda x: series(x),
    "lazy": Lazy,
    "nothing masked": np.ma.masked_invalid,
    "one buffer": OneBuffer,
    "1-tuples": lambda x: TensorDataset(torch.from_numpy(x)),
    "read only": read_only,
    "read only list": lambda x: [read_only(one) for one in x],
    "negative strides": lambda x: np.ascontiguousarray(x[:, ::-1])[:, ::-1],
    "big endian": lambda x: x.astype(">f4"),
    "transposed tensor": lambda x: torch.from_numpy(x.transpose(0, 2, 1).copy()).mT,
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_rows_keep_their_order(name: str, array: np.ndarray) -> None:
    data = CONTAINERS[name](array)
    assert not are_vectors(data)
    np.testing.assert_array_equal(read(data, image_size=8).pixels[:, 0], array)


@pytest.mark.parametrize(
    "container",
    [np.array, Named, series, tuple, lambda paths: [Path(one) for one in paths], lambda paths: np.array(paths, object)],
)
def test_containers_of_paths(container: Callable[[list[str]], Any], paths: list[str]) -> None:
    data = container(paths)
    assert not are_vectors(data)
    assert read(data, image_size=8, cache=False).names == [Path(path).as_posix() for path in paths]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (np.ma.masked_greater(np.ones((2, 8, 8)), 0), r"128 of 128 values are masked; leave out the rows"),
        ([np.ma.masked_greater(np.ones((8, 8)), 0)], r"item 0: a masked array"),
        (torch.ones(2, 8, 8).to_sparse(), r"sparse_coo tensor; expected a dense one"),
        (DataLoader(TensorDataset(torch.ones(2, 8, 8))), r"DataLoader: .* pass what it reads from, loader.dataset"),
        ((np.ones((8, 8)) for _ in range(2)), r"generator as data; .* make a list of it"),
        ([(np.ones((8, 8)), 0, "name")], r"item 0: tuple of 3; expected .* \(image, label\)"),
        ([(np.ones((8, 8)), np.ma.masked_equal([1], 1))], r"item 0: a masked array"),
    ],
)
def test_what_has_no_rows_is_refused(data: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(data, image_size=8)


def test_table_of_a_detector_of_images() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"DataFrame: a table; expected images, or one column of paths"):
        read(pandas.DataFrame({"path": ["a.png"]}))


@pytest.mark.parametrize("kind", [object, str])
def test_table_of_paths(kind: type, paths: list[str]) -> None:
    """Two dimensions make it a table, whose cells are numbers; so is pandas' DataFrame."""
    with pytest.raises(ValueError, match=r"could not convert string .*give their paths alone: .* table\['path'\]"):
        entropix.fit(np.array(paths, kind)[:, None], epochs=1, progress=False)
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="give their paths alone"):
        entropix.fit(pandas.DataFrame({"path": paths, "age": 1}), epochs=1, progress=False)


def test_masked_labels_of_a_sweep(array: np.ndarray) -> None:
    labels = np.ma.masked_equal([0, 1, 0, 1], 1)
    with pytest.raises(DataError, match="masked"):
        entropix.sweep(entropix.datasets.phantoms(90, image_size=16).images, array, labels, image_size=16, epochs=1)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_vectors_of_every_float(kind: torch.dtype, rng: np.random.Generator) -> None:
    x = torch.from_numpy(rng.standard_normal((30, 3))).to(kind)
    np.testing.assert_array_equal(check_vectors(entropix.EntropixDetector(), x, reset=True), x.double())


@pytest.mark.parametrize("rows", [lambda x: x, list])
def test_masked_vectors(rows: Callable[[Any], Any], rng: np.random.Generator) -> None:
    x = np.ma.masked_greater(rng.standard_normal((30, 3)), 0)
    with pytest.raises(DataError, match="masked"):
        entropix.EntropixDetector().fit(rows(x))
