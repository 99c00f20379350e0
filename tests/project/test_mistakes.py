"""Plausible mistakes at every public function: the error is ours, says in one line what came, and what was expected."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

import entropix
from entropix import writers
from entropix.data import ImageSet, Select, read
from entropix.data.conversion import convert
from entropix.report import write_report

ROOT = Path(entropix.__file__).parent
NAN = float("nan")
X = np.random.default_rng(0).standard_normal((60, 4))
IMAGES = np.random.default_rng(1).random((90, 16, 16)).astype(np.float32)
USUAL: dict[str, Any] = {"latent_dim": 2, "image_size": 16, "epochs": 1, "progress": False}

# What is given for data, and is none: for images and for vectors.
NO_DATA: dict[str, Any] = {
    "nothing": None,
    "a number": 5,
    "no text": "",
    "a dictionary": {"a": IMAGES},
    "an empty list": [],
    "a set": {1, 2},
    "bytes": b"a.png",
    "a path that is not there": "nowhere/x",
    "rows of several lengths": [[1, 2], [3]],
    "names": ["a", "b"],
    "no rows": np.zeros((0, 4)),
    "a scalar": np.array(3.0),
    "objects": np.array([[None, 1]] * 30),
    "text": np.array([["a", "b"]] * 30),
    "complex numbers": X + 1j,
    "five axes": np.zeros((2, 2, 2, 2, 2)),
    "a function": len,
    "a class": dict,
    "an image and a path": [IMAGES[0], "a.png"],
    "images and labels": (IMAGES, np.zeros(90)),
    "not numbers": np.full((30, 4), NAN),
    "a generator": (image for image in IMAGES),
    "masked": np.ma.masked_greater(IMAGES, 0.5),
    "dates": np.zeros((30, 4), "datetime64[s]"),
    "one feature": np.zeros((90, 1)),
    "a sparse tensor": torch.from_numpy(IMAGES).to_sparse(),
    "an array of no image": np.array(["a", None], dtype=object),
}
OPTIONS: dict[str, list[Any]] = {
    "latent_dim": ["x", 0, -1, 2.5, None, True, "2", [2], NAN],
    "strategy": ["x", None, 1, ["select"]],
    "architecture": ["x", None, "dense", [1]],
    "image_size": [0, -16, 17, "16", 16.0, None, True],
    "epochs": [0, -1, 1.5, "1", True],
    "seed": ["a", -1, 1.5, None, 2**70, True],
    "alpha": [0, 1, -1, 2, "a", None, NAN, True],
    "device": ["x", None, 0, "cuda:99", "mps"],
    "select": ["axial", {"axis": "axial"}, 5],
    "cache": [None, 5, ""],
    "skip_unreadable": ["no", None],
    "out": [5, ""],
    "resume": [True, "no"],
    "overwrite": ["x"],
    "progress": ["no"],
    "on_epoch": [5, "x"],
    "fabric": [5],
    "nonsense": [1],
}
READING: dict[str, list[Any]] = {
    "image_size": ["a", None, 0, 1, 2.5, True, -4],
    "split": ["x", None, 1],
    "channels": [0, -1, "1", True, 1.5],
    "select": ["x", 5],
    "cache": [5, None, ""],
    "skip_unreadable": ["x"],
    "keep_ids": ["x"],
    "progress": [2],
}
SWEEP: dict[str, list[Any]] = {
    "dims": [[], 5, "a", [0], [1.5], None, ["a"], "12"],
    "seeds": [[], 5, ["a"], [-1], None, [1.5]],
    "model": ["x", None, []],
    "jobs": [0, "a", None, 1.5],
    "epochs": [0, "a"],
    "labels": [[1]],
    "test": [5],
    "out": [5, ""],
    "image_size": [17, "a"],
    "device": ["x", None, 5],
    "resume": [True],
}
CHOICES: dict[str, list[Any]] = {
    "axis": ["x", 5, None],
    "slices": [5, (1,), ("a", 2), None, (1, 2, 3), (1.5, 2)],
    "component": ["a", 1.5, True],
    "series": [5],
}
PHANTOMS: dict[str, list[Any]] = {
    "n": [0, -1, "a", 1.5, None],
    "factors": [-1, "x", 99, 1.5],
    "lesions": [2, -1, "a"],
    "image_size": [0, "a", -4],
    "seed": ["a", -1, 1.5, None],
}
METHODS = ("anomaly_score", "explain", "heatmap", "predict", "encode", "read", "p_value", "regions", "reconstruct")
PATHS = (5, None, "", ["a"])


def refused(call: Callable[[], Any]) -> str:
    """The message of a call that has to fail."""
    try:
        found = call()
    except (ValueError, TypeError, NotFittedError) as error:
        where = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        if not isinstance(error, NotFittedError) and ROOT not in where.parents:
            return f"{type(error).__name__} of {where.name}: {error}"
        told = str(error)
        return "" if 15 < len(told) < 900 and "\n" not in told else f"{len(told)} characters: {told}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"no error, but {type(found).__name__}"


def check(calls: dict[str, Callable[[], Any]]) -> None:
    found = {name: told for name, call in calls.items() if (told := refused(call))}
    assert not found, "\n".join(f"{name}: {told[:200]}" for name, told in found.items())


def with_each(call: Callable[..., Any], mistakes: dict[str, list[Any]], **usual: Any) -> dict[str, Callable[[], Any]]:
    return {
        f"{name}={str(value)[:40]!r}, {i}": lambda name=name, value=value: call(**usual | {name: value})  # type: ignore[misc]
        for name, values in mistakes.items()
        for i, value in enumerate(values)
    }


@pytest.fixture(scope="module")
def of_images() -> entropix.EntropixDetector:
    return entropix.fit(IMAGES, **USUAL | {"alpha": 0.2})


@pytest.fixture(scope="module")
def of_vectors() -> entropix.EntropixDetector:
    return entropix.EntropixDetector(2, epochs=1, alpha=0.2).fit(X)


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EntropixWarning")
@pytest.mark.parametrize("data", [IMAGES, X], ids=["images", "vectors"])
def test_options_of_a_fit(data: np.ndarray) -> None:
    check(with_each(lambda **options: entropix.fit(data, **options), OPTIONS, **USUAL))
    own = {name: values for name, values in OPTIONS.items() if name in entropix.EntropixDetector().get_params()}
    usual = {"latent_dim": 2, "image_size": 16, "epochs": 1}
    check(with_each(lambda **options: entropix.EntropixDetector(**options).fit(data), own, **usual))


@pytest.mark.parametrize("name", ["fit", "EntropixDetector.fit", "read", "inspect", "sweep"])
def test_data(name: str) -> None:
    function: Callable[[Any], Any] = {
        "fit": lambda data: entropix.fit(data, **USUAL),
        "EntropixDetector.fit": entropix.EntropixDetector(epochs=1).fit,
        "read": lambda data: read(data, image_size=16),
        "inspect": lambda data: entropix.inspect(data, image_size=16),
        "sweep": lambda data: entropix.sweep(data, dims=[1], epochs=1, image_size=16, progress=False),
    }[name]
    check({what: lambda data=data: function(data) for what, data in NO_DATA.items()})  # type: ignore[misc]


@pytest.mark.parametrize("method", METHODS)
def test_inputs_of_a_detector(method: str, of_images: Any, of_vectors: Any) -> None:
    check(with_each(lambda data: getattr(of_images, method)(data), {"data": [*NO_DATA.values()]}))
    check(with_each(lambda data: getattr(of_vectors, method)(data), {"data": [*NO_DATA.values()]}))
    check({"unfitted": lambda: getattr(entropix.EntropixDetector(), method)(IMAGES)})


def test_scores_and_levels(of_images: Any) -> None:
    scores, levels = ["x", None, 1, ["surprisal"]], [0, 1, -1, "a", NAN, [0.1], 1e-9]
    for method in ("anomaly_score", "p_value"):
        check(with_each(lambda score, method=method: getattr(of_images, method)(IMAGES[:3], score), {"score": scores}))
    for method in ("predict", "regions"):
        check(with_each(lambda alpha, method=method: getattr(of_images, method)(IMAGES[:3], alpha), {"alpha": levels}))


def test_reading_choosing_and_simulating() -> None:
    check(with_each(lambda **options: read(IMAGES, **options), READING, image_size=16))
    check(with_each(Select, CHOICES))
    check(with_each(entropix.datasets.phantoms, PHANTOMS, n=4, image_size=16))


def test_sweep() -> None:
    usual = {"dims": [1], "epochs": 1, "image_size": 16, "progress": False}
    check(with_each(lambda **options: entropix.sweep(IMAGES, **options), SWEEP, **usual))


def test_files(of_images: Any, of_vectors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some paths are right, and get a model
    for path in PATHS:
        check(
            {
                f"load({path!r})": lambda path=path: entropix.load(path),
                f"save({path!r})": lambda path=path: of_images.save(path),
                f"export({path!r})": lambda path=path: entropix.export(of_images, path),
                f"report({path!r})": lambda path=path: write_report(of_images, path),
                f"convert({path!r})": lambda path=path: convert("rsna", path, tmp_path / "o"),
                f"convert to {path!r}": lambda path=path: convert("rsna", tmp_path, path),
            }
        )
    images, page, model = of_images.read(IMAGES[:3]), tmp_path / "r.html", tmp_path / "m.pt2"
    for name, detector in {"none": None, "a folder": "m", "unfitted": entropix.EntropixDetector()}.items():
        check(
            {
                f"export {name}": lambda detector=detector: entropix.export(detector, model),
                f"report {name}": lambda detector=detector: write_report(detector, page),
                f"score {name}": lambda detector=detector: writers.score(detector, images),
            }
        )
    check(
        {
            "load nothing": lambda: entropix.load(tmp_path),
            "export vectors": lambda: entropix.export(of_vectors, model),
            "report vectors": lambda: write_report(of_vectors, page),
            "export .h5": lambda: entropix.export(of_images, tmp_path / "m.h5"),
            "scores and data": lambda: write_report(of_images, page, data=IMAGES, scores="s.csv"),
            "score an array": lambda: writers.score(of_images, IMAGES),  # type: ignore[arg-type]
            "maps of an array": lambda: writers.write_heatmaps(tmp_path / "h", of_images, IMAGES),  # type: ignore[arg-type]
            "convert another": lambda: convert("mnist", tmp_path, tmp_path / "o"),
            "convert nothing": lambda: convert("rsna", tmp_path, tmp_path / "o"),
            "convert with seed": lambda: convert("rsna", tmp_path, tmp_path / "o", seed=-1),
        }
    )


def test_sets_and_models_of_ones_own(of_images: Any) -> None:
    images = of_images.read(IMAGES[:5])
    check(with_each(images.subset, {"indices": [[99], ["a"], [1.5], np.array([True]), [-9], 3, None, [[1]]]}))
    check({"ImageSet": lambda: ImageSet(images.pixels, [], np.zeros(0), [], np.zeros((0, 2)), True)})
    usual = {"model": of_images.model_, "images": torch.rand(100, 1, 16, 16)}
    mistakes = {"model": [None, 5], "images": [torch.rand(100, 16, 16), torch.rand(3, 1, 16, 16)], "seed": [-1, "a"]}
    check(with_each(entropix.prune, mistakes | {"epochs": [-1, 1.5], "device": ["x", 5]}, **usual))
