"""The types that users' scripts see: right uses pass `mypy --strict`, a misspelt option is an error that names it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest
import torch

from entropix import estimators, ops

ROOT = Path(__file__).parents[2]

START = """
import numpy as np
import torch

import entropix
from entropix import estimators, ops

rng = np.random.default_rng(0)
x, y = rng.normal(size=(200, 3)), rng.normal(size=(200, 3))
samples = rng.normal(size=(4, 200, 3))
tensor = torch.randn(200, 3)
"""
"""Start of every script."""

# Scripts, each with a part of the one error that mypy must find; None: no error.
SCRIPTS: dict[str, tuple[str, str | None]] = {
    "a result": (
        """
h = entropix.entropy(x, 4, method="manifold", dimension=2, base=2)
print(h.value, float(h) + h.stderr, h.ci[0], h.dimension, h.warnings, h.to_dict())
""",
        None,
    ),
    "a result is returned": (
        """
def bits(sample: torch.Tensor) -> estimators.Entropy:
    return entropix.entropy(sample, base=2)
""",
        None,
    ),
    "a batch of arrays": (
        """
for h in entropix.entropy(samples):
    print(h.value, h.ci)
""",
        None,
    ),
    "a batch of tensors": (
        """
def widest(batch: torch.Tensor) -> float:
    return max(m.value for m in entropix.intrinsic_dimension(batch, "mle", k=20))
""",
        None,
    ),
    "a batch is a list": (
        """
results: list[estimators.Information] = entropix.mutual_information(samples, samples + 1, method="ksg1")
print(len(results), results[0].value, [one.stderr for one in results])
""",
        None,
    ),
    "every estimator": (
        """
print(entropix.mutual_information(x, y).value, entropix.conditional_mutual_information(x, y, x + y).value)
print(entropix.total_correlation(x).value, entropix.kl_divergence(x, y).value, entropix.intrinsic_dimension(x).scan)
print(entropix.entropy([1.0, 2.5, 3.0], 1).value, estimators.merge_duplicates(x).n_merged)
""",
        None,
    ),
    "local values": (
        """
local = entropix.entropy(x, local=True).local
assert isinstance(local, np.ndarray)
print(local.mean())
""",
        None,
    ),
    "a gradient": (
        """
value = entropix.entropy(tensor.requires_grad_(), method="kl").value
assert isinstance(value, torch.Tensor)
(gradient,) = torch.autograd.grad(value, tensor)
""",
        None,
    ),
    "a dimension is a number": (
        """
def whole(sample: torch.Tensor) -> int:
    return round(entropix.intrinsic_dimension(sample).value)
""",
        None,
    ),
    "neighbours": (
        """
distances, indices = ops.knn(tensor, 3, metric="chebyshev")
counts: torch.Tensor = ops.count_within(tensor, distances[:, 0])
""",
        None,
    ),
    "options in variables": (
        """
def compare(methods: list[estimators.EntropyMethod], metric: ops.Metric) -> None:
    print([entropix.entropy(x, method=method).value for method in methods], ops.knn(tensor, 3, metric=metric))


compare(["kl", "structured"], "euclidean")
""",
        None,
    ),
    "a misspelt attribute": ("entropix.entropy(x).vlaue", '"vlaue"'),
    "a misspelt method of entropy": ('entropix.entropy(x, method="structred")', "'structred'"),
    "a misspelt method of intrinsic_dimension": ('entropix.intrinsic_dimension(x, "twoNN")', "'twoNN'"),
    "a misspelt method of mutual_information": ('entropix.mutual_information(x, y, method="ksg")', "'ksg'"),
    "a method that distributed_entropy lacks": ('estimators.distributed_entropy(x, method="auto")', "'auto'"),
    "a misspelt metric of knn": ('ops.knn(tensor, 3, metric="euclidian")', "'euclidian'"),
    "a misspelt metric of count_within": ('ops.count_within(tensor, tensor[:, 0], metric="l1")', "'l1'"),
    "a detector": (
        """
detector = entropix.fit(dataset=x, strategy="prune", latent_dim=4, alpha=0.1, progress=False)
scores: np.ndarray = detector.anomaly_score(x, "residual") + detector.p_value(x)
again = entropix.EntropixDetector("auto", strategy="constrain").fit(x)
print(scores, again.latent_dim_, again.calibration_["surprisal"], [point["entropy"] for point in again.curve_])
""",
        None,
    ),
    "a misspelt score": ('entropix.load("model").anomaly_score(x, "surprsal")', "'surprsal'"),
    "a misspelt score of p_value": ('entropix.load("model").p_value(x, "error")', "'error'"),
    "a misspelt strategy of the detector": ('entropix.EntropixDetector(strategy="guess")', "'guess'"),
    "a misspelt option": ("entropix.fit(x, epoch=3)", '"epoch"'),
    "a misspelt model of sweep": ('entropix.sweep(x, model="vea")', "'vea'"),
    "a misspelt function": ("entropix.fitt(x)", '"fitt"'),
    "an old name": ("estimators.merge_twins(x)", '"merge_twins"'),
    "a misspelt strategy": ('entropix.fit([], strategy="selcet")', "strategy"),
}


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> dict[str, list[str]]:
    """Errors that mypy finds in each script, in one run. Its cache is kept: torch takes it most of a minute to read."""
    api = pytest.importorskip("mypy.api")
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "mypy.ini").write_text(f"[mypy]\nstrict = true\nfollow_imports = silent\nmypy_path = {ROOT}\n")
    kept = getattr(pytestconfig, "cache", None)  # none with -p no:cacheprovider
    cache = kept.mkdir("mypy") if kept else folder / "cache"
    files = {name: folder / f"script_{i}.py" for i, name in enumerate(SCRIPTS)}
    for name, file in files.items():
        file.write_text(START + SCRIPTS[name][0])
    options = ["--config-file", str(folder / "mypy.ini"), "--cache-dir", str(cache), "--no-error-summary"]
    out, problem, status = api.run([*options, *map(str, files.values())])
    assert status in (0, 1), out + problem
    lines = [line for line in out.splitlines() if ": error: " in line]
    found = {
        name: [line for line in lines if Path(line.split(":")[0]).name == file.name] for name, file in files.items()
    }
    assert sum(map(len, found.values())) == len(lines), out
    return found


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str, errors: dict[str, list[str]]) -> None:
    expected = SCRIPTS[name][1]
    if expected is None:
        assert errors[name] == []
    else:
        assert len(errors[name]) == 1
        assert expected in errors[name][0]


def test_names_in_types_are_those_that_work() -> None:
    x = torch.randn(200, 2)
    for kind, call in (
        (estimators.EntropyMethod, lambda name: estimators.entropy(x, method=name)),
        (estimators.DimensionMethod, lambda name: estimators.intrinsic_dimension(x, name)),
        (estimators.InformationMethod, lambda name: estimators.mutual_information(x, x + x.flip(0), method=name)),
        (ops.Metric, lambda name: ops.knn(x, 1, metric=name)),
    ):
        for name in get_args(kind):
            call(name)
        with pytest.raises(ValueError, match="one of " + ", ".join(get_args(kind))):
            call("misspelt")


def test_no_public_function_returns_any() -> None:
    """But for the look-up of lazy and moved names, which type checkers do not see."""
    found = []
    for path in sorted((ROOT / "entropix").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            public = isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
            if public and node.returns is not None and ast.unparse(node.returns) == "Any":  # type: ignore[attr-defined]
                found.append(f"{path.relative_to(ROOT)}: {node.name}")  # type: ignore[attr-defined]
    # pandas is no dependency, so its types are not known everywhere
    assert found == ["entropix/_utils/_moved.py: look_up", "entropix/detector/_notebook.py: to_frame"]
