"""Devices, threads, files, plain float64 oracles, and a comparison of neighbours that knows ties."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import entropix
from entropix.ops import Neighbours

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
DTYPES = [torch.float32, torch.float64]
METRICS = ["euclidean", "chebyshev"]
# Relative error of a distance that is summed in its own dtype; knn decides in double and is far better.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads of torch in the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def python_blocks(text: str) -> list[str]:
    """The Python blocks of a page; their trainings take two epochs, as what they show needs no good detector."""
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return [re.sub(r"\bepochs=\d+", "epochs=2", block) for block in blocks]


def labelled_folder(root: Path, n_train: int, n_test: int, size: int, last: str | None = None) -> Path:
    """A data.json folder of PNG files of phantoms: some to train, as many normal as abnormal ones to test.

    `last` is the name of the last one.
    """
    (root / "images").mkdir()
    normal = entropix.datasets.phantoms(n_train + n_test, 2, image_size=size).images
    sick = entropix.datasets.phantoms(n_test, 2, lesions=1, image_size=size, seed=1).images
    names = [f"{i:03}.png" for i in range(len(normal) + len(sick))]
    names[-1] = last or names[-1]
    for name, image in zip(names, np.concatenate([normal, sick]), strict=True):
        Image.fromarray((image[0] * 255).astype(np.uint8)).save(root / "images" / name)
    test = {"0": names[n_train : len(normal)], "1": names[len(normal) :]}
    (root / "data.json").write_text(json.dumps({"train": {"0": names[:n_train]}, "test": test}))
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def naive_distances(x: Tensor, query: Tensor | None = None, metric: str = "euclidean") -> Tensor:
    """All distances (m, n) in float64 from differences; inf on the diagonal when query is None."""
    points = x.double().cpu()
    rows = points if query is None else query.double().cpu()
    difference = (rows[:, None] - points).abs()
    out = difference.square().sum(-1).sqrt() if metric == "euclidean" else difference.amax(-1)
    if query is None:
        out.fill_diagonal_(float("inf"))
    return out


def naive_knn(x: Tensor, k: int, query: Tensor | None = None, metric: str = "euclidean") -> Neighbours:
    """The k nearest by a stable sort: of equally near points the lower index first."""
    distances, indices = naive_distances(x, query, metric).sort(dim=1, stable=True)
    return Neighbours(distances[:, :k], indices[:, :k])


def assert_same_neighbours(found: Neighbours, all_distances: Tensor, rtol: float = 1e-6) -> None:
    """Assert that `found` (m, k) are nearest neighbours given all true distances (m, n).

    Distances must ascend and be right; each index must be a different point that lies at its distance; and no
    point that is clearly nearer than the k-th may be missing. Which of several equally near points were chosen,
    and their order, does not matter.
    """
    distances, indices = found.distances.double().cpu(), found.indices.cpu()
    k = distances.shape[1]
    expected = all_distances.sort(dim=1).values[:, :k]
    torch.testing.assert_close(distances, expected, rtol=rtol, atol=0)
    assert (distances.diff(dim=1) >= 0).all(), "distances do not ascend"
    assert ((indices >= 0) & (indices < all_distances.shape[1])).all(), "index out of range"
    sorted_indices = indices.sort(dim=1).values
    assert (sorted_indices.diff(dim=1) > 0).all(), "a point is listed twice"
    torch.testing.assert_close(all_distances.gather(1, indices), distances, rtol=rtol, atol=0)
    listed = torch.zeros_like(all_distances, dtype=torch.bool).scatter(1, indices, True)
    missing = (all_distances < expected[:, -1:] * (1 - rtol)) & ~listed
    assert not missing.any(), "a nearer point is missing"
