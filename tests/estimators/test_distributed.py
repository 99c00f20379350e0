"""Entropy of rows that lie in several processes: the same as of all rows in one."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import entropix
from entropix import distributed
from entropix.estimators._distributed import _Shards

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this PyTorch has no gloo"
)
PAIR = (0, 2)  # the processes among three that take part where two are asked for


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of three processes found."""
    folder = tmp_path_factory.mktemp("processes")
    mp.spawn(_process, (folder,), nprocs=3)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(3)]


def _process(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=3)
    results: dict[str, Any] = {"neighbours": _Shards(sample("normal")[:41].tensor_split(3)[rank], None).neighbours(7)}
    pair = dist.new_group(list(PAIR))
    if rank in PAIR:
        results["entropies"] = entropies(PAIR.index(rank), pair)
        results["messages"] = messages(PAIR.index(rank), pair)
    torch.save(results, folder / f"{rank}.pt")
    dist.destroy_process_group()


def sample(name: str) -> torch.Tensor:
    """(n, d) samples that the estimators treat in different ways."""
    generator = torch.Generator().manual_seed(1)
    normal = torch.randn(501, 3, generator=generator, dtype=torch.float64)
    if name == "float32":
        return normal.float() + 100
    if name == "copies":  # exact ones and near ones, across the processes too
        near = normal[:20] * (1 + 1e-9)
        return torch.cat([normal, near, normal[100:140], normal[:3]])
    if name == "constant column":
        return torch.cat([normal, torch.full((len(normal), 1), 1e4)], 1)
    if name == "plane":
        return normal[:, :2] @ torch.randn(2, 5, generator=generator, dtype=torch.float64) + 7
    if name == "quantised":
        return (normal * 2).round()
    return normal


CASES = [
    ("normal", {}),
    ("normal", {"k": 1, "base": 2}),
    ("normal", {"method": "manifold"}),
    ("normal", {"method": "manifold", "dimension": 3.0, "k": 12}),
    ("float32", {}),
    ("copies", {}),
    ("copies", {"method": "manifold"}),
    ("normal", {"groups": True}),
    ("copies", {"groups": True, "method": "manifold"}),
    ("plane", {"method": "manifold"}),
]
PARTS = (250, 7, 400)  # rows of the first process; the second has the rest


def patients(x: torch.Tensor, options: dict[str, Any]) -> dict[str, Any]:
    """Groups that both processes have rows of, where a case has groups."""
    return {"groups": np.array([f"p{i}" for i in np.arange(len(x)) % 40])} if "groups" in options else {}


def entropies(rank: int, pair: dist.ProcessGroup) -> list[Any]:
    results = []
    for name, options in CASES:
        x = sample(name)
        for end in PARTS:
            own = slice(end) if rank == 0 else slice(end, None)
            mine = {name: value[own] for name, value in patients(x, options).items()}
            results.append(distributed.entropy(x[own], group=pair, **options | mine))
    return results


def test_same_as_one_process(found: list[dict[str, Any]]) -> None:
    first, second = (found[rank]["entropies"] for rank in PAIR)
    assert first == second
    assert len(first) == len(CASES) * len(PARTS)
    for i, (name, options) in enumerate(CASES):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = sample(name)
            alone = entropix.entropy(x, **{"method": "kl"} | options | patients(x, options))
        for result in first[i * len(PARTS) : (i + 1) * len(PARTS)]:
            for number in ("value", "stderr", "dimension"):
                assert getattr(result, number) == pytest.approx(getattr(alone, number), rel=1e-12), (name, options)
            assert result.ci == pytest.approx(alone.ci, rel=1e-12)
            assert (result.n, result.n_distinct, result.k, result.base) == (
                alone.n,
                alone.n_distinct,
                alone.k,
                alone.base,
            )
            if name == "copies":
                assert result.n_merged >= 63
                assert f"{result.n_merged} of {result.n} rows are copies" in result.warnings[0]


def messages(rank: int, pair: dist.ProcessGroup) -> list[str]:
    x = sample("normal")[:100]
    other = torch.where(torch.arange(100)[:, None] == 3, torch.nan, x)
    tries: list[tuple[Any, dict[str, Any]]] = [
        (other if rank else x, {}),
        (x.float() if rank else x, {}),
        (x, {"k": 5 + rank}),
        (x, {"k": 250}),
        (sample("constant column")[rank::2], {}),
        (sample("plane")[rank::2], {}),
        (sample("quantised")[rank::2], {}),
        (x, {"method": "auto"}),
        (x[:0] if rank else x, {}),
        (x.clone().requires_grad_(), {}),
        (np.array(["a"]), {}),
        (x, {"groups": np.zeros(100)}),
        (x, {"groups": np.arange(99 + rank)}),
        (x, {"groups": np.arange(100).astype(str if rank else int)}),
    ]
    caught_messages = []
    for rows, options in tries:
        with pytest.raises((ValueError, TypeError)) as caught:
            distributed.entropy(rows, group=pair, **options)
        caught_messages.append(str(caught.value))
    return caught_messages


def test_every_process_says_what_is_wrong(found: list[dict[str, Any]]) -> None:
    first, second = (found[rank]["messages"] for rank in PAIR)
    assert first == second
    for message, expected in zip(
        first,
        [
            "process 1: x holds NaN or infinite values in 1 rows",
            "process 1 has d, type, k, method, base, dimension and kind of groups (3, 'torch.float32'",
            "(3, 'torch.float64', 6, 'kl', None, None, None), process 0 (3, 'torch.float64', 5",
            "k = 250 neighbours need more than 250 points, but there are 200",
            "501 distinct rows span 3 of 4 dimensions",
            "501 distinct rows span 2 of 5 dimensions",
            "the data is quantised; add uniform noise",
            "process 0: method is 'auto'; expected one of kl, manifold",
            "process 1: x has shape (0, 3); an empty axis",
            "process 0: x has shape (1, 100, 3); expected rows (n, d) without gradient",
            "process 0: x holds <U1 values; expected real numbers",
            "groups holds one group",
            "process 0: groups has shape (99,); expected one label for each of 100 rows",
            "None, None, 'U'), process 0",
        ],
        strict=True,
    ):
        assert expected in message


def test_neighbours_among_three_processes(found: list[dict[str, Any]]) -> None:
    distances, indices = (torch.cat(parts) for parts in zip(*(one["neighbours"] for one in found), strict=True))
    expected = entropix.ops.knn(sample("normal")[:41], 7)
    torch.testing.assert_close(distances, expected.distances, rtol=1e-14, atol=0)
    assert torch.equal(indices, expected.indices)


def test_without_processes() -> None:
    with pytest.raises(RuntimeError, match="is not initialised"):
        distributed.entropy(np.zeros((10, 2)))


def test_importing_entropix_does_not_load_it() -> None:
    import subprocess

    code = "import entropix, sys; assert 'entropix.distributed' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
