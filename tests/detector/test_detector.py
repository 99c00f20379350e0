"""fit, the detector, its files, and the sweep: end to end on small simulated images."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import entropix
from entropix.data import DataError
from entropix.detector import PAPER_PRESENTATIONS, default_epochs
from entropix.exceptions import ModelError
from entropix.options import check_code_length
from entropix.scoring import Outputs
from entropix.scoring._metrics import detection_metrics
from entropix.training._split import split
from entropix.training._training_data import FitWarning

SETTINGS = {"image_size": 32, "progress": False}


@pytest.fixture(scope="module")
def normal() -> np.ndarray:
    return entropix.datasets.phantoms(200, 2, image_size=32).images


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.arange(60) % 2


@pytest.fixture(scope="module")
def test_images(labels: np.ndarray) -> np.ndarray:
    """Every second image has a bright square: large enough for a few seconds of training."""
    images = entropix.datasets.phantoms(60, 2, image_size=32, seed=1).images
    images[labels == 1, :, 12:18, 10:16] += 0.4
    return images.clip(0, 1)


@pytest.fixture(scope="module")
def detector(normal: np.ndarray) -> entropix.EntropixDetector:
    return entropix.fit(normal, epochs=40, **SETTINGS)


def test_finds_squares(detector: entropix.EntropixDetector, test_images: np.ndarray, labels: np.ndarray) -> None:
    from sklearn.metrics import roc_auc_score

    for score in ("surprisal", "residual"):
        values = detector.anomaly_score(test_images, score=score)
        assert values.shape == (60,)
        assert roc_auc_score(labels, values) > 0.7


def test_what_was_learnt_is_there(detector: entropix.EntropixDetector) -> None:
    dims = [row["latent_dim"] for row in detector.curve_]
    assert dims == sorted(dims)
    assert (dims[0], dims[-1]) == (1, 128)
    assert detector.latent_dim_ in dims
    assert str(detector.latent_dim_) in detector.reason_
    assert detector.entropy_ is not None
    assert detector.entropy_.ci[0] < float(detector.entropy_) < detector.entropy_.ci[1]
    assert detector.entropy_.dimension == pytest.approx(2, rel=0.4)
    assert len(detector.history_) == 40
    assert detector.settings_["n_train"] + detector.settings_["n_held_out"] == 200


def test_shapes(detector: entropix.EntropixDetector, test_images: np.ndarray) -> None:
    x = test_images[:3]
    assert detector.encode(x).shape == (3, detector.latent_dim_)
    assert detector.reconstruct(x).shape == (3, 1, 32, 32)
    assert detector.heatmap(x).shape == (3, 32, 32)
    large = np.repeat(np.repeat(x[:, 0], 2, axis=1), 3, axis=2)  # 64 x 96
    assert detector.heatmap(large).shape == (3, 64, 96)
    mixed = detector.heatmap([large[0], x[0, 0]])
    assert [m.shape for m in mixed] == [(64, 96), (32, 32)]


def test_heatmap_sums_to_the_conditional_term(detector: entropix.EntropixDetector, normal: np.ndarray) -> None:
    maps = detector.heatmap(normal[:4])
    x = torch.from_numpy(normal[:4]) * 2 - 1
    known = detector.residual_model_
    _, distance = known.energies(Outputs.of_all(x, detector.model_, detector.network_))
    elsewhere = distance / known.energy[1] * known.freedom[1] / 2  # position and exposure
    conditional = detector.explain(normal[:4])["conditional"]
    np.testing.assert_allclose(maps.sum((1, 2)) + elsewhere.numpy(), conditional, rtol=1e-3)


def test_scores_and_maps_are_of_one_pass_through_the_networks(
    detector: entropix.EntropixDetector, normal: np.ndarray
) -> None:
    seen: list[int] = []
    first = (detector.model_.encoder[0], detector.model_.decoder[-1], detector.network_.stages[0])
    hooks = [module.register_forward_hook(lambda *_, i=i: seen.append(i)) for i, module in enumerate(first)]
    detector.explain(normal[:10], maps=True)
    for hook in hooks:
        hook.remove()
    assert sorted(seen) == [0, 1, 2]


def test_explain_adds_up(detector: entropix.EntropixDetector, normal: np.ndarray) -> None:
    terms = detector.explain(normal[:10], maps=True)
    np.testing.assert_array_equal(terms.pop("map"), detector.surprise_maps(normal[:10]))
    assert set(terms) == set(detector.explain(normal[:10]))
    np.testing.assert_allclose(terms["surprisal"], terms["conditional"] + terms["latent"], rtol=1e-6)
    np.testing.assert_allclose(terms["residual"], detector.anomaly_score(normal[:10], "residual"))
    reconstruction = detector.reconstruct(normal[:10])
    squared = 4 * np.square(reconstruction - normal[:10]).mean((1, 2, 3))  # [0, 1] to [-1, 1]
    np.testing.assert_allclose(terms["residual"], squared, rtol=1e-3)


@pytest.mark.usefixtures("few_candidates")
def test_same_seed_same_detector(normal: np.ndarray) -> None:
    first, again = (entropix.fit(normal, epochs=3, **SETTINGS) for _ in range(2))
    assert again.latent_dim_ == first.latent_dim_
    np.testing.assert_array_equal(again.anomaly_score(normal), first.anomaly_score(normal))


@pytest.mark.parametrize("latent_dim", ["auto", 3])
def test_saved_and_loaded_in_a_new_process(
    latent_dim: int | str,
    detector: entropix.EntropixDetector,
    normal: np.ndarray,
    test_images: np.ndarray,
    tmp_path: Path,
) -> None:
    if latent_dim != "auto":
        detector = entropix.fit(normal, latent_dim=np.int64(latent_dim), epochs=np.int64(2), **SETTINGS)
    detector.save(tmp_path / "model")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]
    np.save(tmp_path / "x.npy", test_images)
    code = (
        "import sys, numpy as np, entropix\n"
        "d = entropix.load(sys.argv[1])\n"
        "np.save(sys.argv[3], d.anomaly_score(np.load(sys.argv[2])))\n"
    )
    paths = [str(tmp_path / name) for name in ("model", "x.npy", "s.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "s.npy"), detector.anomaly_score(test_images))
    loaded = entropix.load(tmp_path / "model")
    assert loaded.entropy_ == detector.entropy_
    assert loaded.curve_ == detector.curve_
    assert loaded.reason_ == detector.reason_


def test_save_refuses_what_is_there(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    model = tmp_path / "model"
    detector.save(model)
    with pytest.raises(FileExistsError, match=r"already holds a model.*--overwrite"):
        detector.save(model)
    detector.save(model, overwrite=True)
    other = tmp_path / "other"
    other.mkdir()
    for folder in (other, model):
        (folder / "notes.txt").write_text("mine")
        with pytest.raises(FileExistsError, match="is not empty"):
            detector.save(folder, overwrite=True)
        assert (folder / "notes.txt").read_text() == "mine"


def test_load_refuses_what_is_no_model(detector: entropix.EntropixDetector, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        entropix.load(tmp_path)
    with pytest.raises(ModelError, match=r"none: no such folder .looked from .*expected what"):
        entropix.load(tmp_path / "none")
    model = detector.save(tmp_path / "model")
    about = json.loads((model / "detector.json").read_text())
    for change, message in (
        ({"format": "other"}, "does not describe"),
        ({"version": 99}, "version 99"),
        ({"model": {"latent_dim": 3, "channels": 1, "image_size": 64}}, "damaged"),
        ({"entropy": {"value": 1}}, "damaged"),
    ):
        (model / "detector.json").write_text(json.dumps(about | change))
        with pytest.raises(ModelError, match=message):
            entropix.load(model)
    (model / "detector.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        entropix.load(model)
    (model / "detector.json").write_text(json.dumps(about))
    (model / "model.safetensors").write_bytes(b"garbage")
    with pytest.raises(ModelError, match="damaged"):
        entropix.load(model)


def test_fit_writes_nothing_when_it_fails(normal: np.ndarray, tmp_path: Path) -> None:
    out = tmp_path / "model"
    constant = np.repeat(np.repeat(normal, 3, axis=2), 3, axis=3)  # shrunk again: rounding must not hide it
    constant[3] = 0.3
    holed = normal.copy()
    holed[0, 0, 0, 0] = np.nan
    for data, message in (
        (constant, "1 of 200 images have one constant value.*: 3"),
        (np.zeros_like(normal), "200 of 200 images have one constant value"),
        (holed, "NaN"),
        (normal[:79], "79 images; at least 80 are needed"),
        (np.repeat(normal[:10], 10, axis=0), "10 of them distinct"),
        (str(tmp_path / "nowhere"), "no such file or folder"),
    ):
        with pytest.raises(DataError, match=message):
            entropix.fit(data, epochs=1, out=out, **SETTINGS)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="latent_dim='big'"):
        entropix.fit(normal, latent_dim="big")
    with pytest.raises(ValueError, match="epochs=0"):
        entropix.fit(normal, epochs=0)
    with pytest.raises(ValueError, match="image_size=40; expected a multiple of 16"):
        entropix.fit(normal, image_size=40, epochs=1, progress=False)


def test_fit_goes_on_without_constant_images(normal: np.ndarray) -> None:
    constant = normal.copy()
    constant[3] = 0.5
    detector = entropix.fit(constant, latent_dim=2, epochs=1, skip_unreadable=True, **SETTINGS)
    assert detector.settings_["n_images"] == 199
    assert detector.settings_["unreadable"] == [["3", "all pixels have one value"]]


def test_fixed_dimension_and_colour(normal: np.ndarray) -> None:
    colour = np.concatenate([normal, 1 - normal, normal**2], axis=1)
    detector = entropix.fit(colour, latent_dim=3, epochs=1, **SETTINGS)
    assert detector.latent_dim_ == 3
    assert detector.entropy_ is None
    assert detector.reconstruct(colour[:2]).shape == (2, 3, 32, 32)
    assert np.isfinite(detector.anomaly_score(colour)).all()


def test_raw_values_are_scaled_by_the_training_range(normal: np.ndarray) -> None:
    raw = (normal * 4000 - 1000).astype(np.int16)  # as Hounsfield units
    detector = entropix.fit(raw, latent_dim=2, epochs=2, **SETTINGS)
    scores = detector.anomaly_score(raw)
    np.testing.assert_allclose(detector.anomaly_score(raw[:5]), scores[:5], rtol=1e-4)


def test_duplicates_are_reported_and_stay_together(normal: np.ndarray) -> None:
    copies = np.concatenate([normal, normal[:30]])
    with pytest.warns(FitWarning, match="30 of 230 images are copies"):
        detector = entropix.fit(copies, latent_dim=2, epochs=1, **SETTINGS)
    assert detector.settings_["n_distinct"] == 200
    x = torch.from_numpy(copies)
    train, held_out, distinct = split(x, [str(i) for i in range(230)], seed=0)
    assert len(distinct) == 200
    sides = np.isin(np.arange(230), train)
    assert (sides[:30] == sides[200:]).all()
    assert len(np.intersect1d(train, held_out)) == 0


def test_groups_stay_together(normal: np.ndarray) -> None:
    groups = [str(i // 10) for i in range(200)]
    train, held_out, _ = split(torch.from_numpy(normal), groups, seed=0)
    assert not {groups[i] for i in train} & {groups[i] for i in held_out}
    assert len(held_out) == 40


def test_a_group_that_is_too_large_to_hold_out_is_passed_over() -> None:
    groups = ["a"] * 74 + ["b"] * 74 + ["c"] * 74 + [f"d{i}" for i in range(60)]
    images = torch.rand(len(groups), 1, 16, 16)
    for seed in range(5):
        _, held_out, _ = split(images, groups, seed)
        assert len(held_out) == 56  # a fifth


def test_two_channels(normal: np.ndarray) -> None:
    pair = np.concatenate([normal, normal[::-1]], axis=1)
    detector = entropix.fit(pair, latent_dim=2, epochs=1, **SETTINGS)
    assert detector.anomaly_score(pair[:4]).shape == (4,)


def test_random_numbers_of_the_caller_are_left_alone(normal: np.ndarray) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    entropix.fit(normal, latent_dim=1, epochs=1, **SETTINGS)
    assert torch.rand(1) == expected


@pytest.mark.gpu
def test_on_a_gpu(normal: np.ndarray, tmp_path: Path) -> None:
    """The same detector twice, but for the order of sums (2e-5 on an H200), and the same scores on both devices."""
    first, again = (entropix.fit(normal, epochs=10, device="cuda", **SETTINGS) for _ in range(2))
    assert first.device_.type == "cuda"
    np.testing.assert_allclose(first.anomaly_score(normal), again.anomaly_score(normal), rtol=1e-3)
    first.save(tmp_path / "model")
    on_cpu = entropix.load(tmp_path / "model", device="cpu")
    np.testing.assert_allclose(on_cpu.anomaly_score(normal), first.anomaly_score(normal), rtol=1e-3)


def test_default_epochs() -> None:
    assert [default_epochs(n) for n in (100, 1000, 2500, 100_000)] == [600, 100, 40, 25]
    assert [default_epochs(n, PAPER_PRESENTATIONS) for n in (100, 1000, 4000, 100_000)] == [600, 250, 62, 25]


def test_sweep(normal: np.ndarray, test_images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    result = entropix.sweep(normal, test_images, labels, dims=(1, 4), seeds=(0, 1), epochs=30, **SETTINGS)
    assert [(row.latent_dim, row.seed) for row in result.rows] == [(1, 0), (4, 0), (1, 1), (4, 1)]
    table = result.table()
    assert [entry["latent_dim"] for entry in table] == [1, 4]
    aucs = [row.auc for row in result.rows if row.latent_dim == 4]
    assert table[1]["auc"] == pytest.approx(np.mean(aucs))
    assert table[1]["auc_sd"] == pytest.approx(np.std(aucs, ddof=1))
    assert table[0]["error_train"] > table[1]["error_train"]
    assert table[1]["error_test_abnormal"] > table[1]["error_test_normal"]
    best = result.best()
    assert best is not None
    assert best["auc"] == max(entry["auc"] for entry in table)
    taken = result.detector(4, seed=1)
    assert taken.latent_dim_ == 4
    known = detection_metrics(labels, taken.anomaly_score(test_images, "residual"))
    assert known["auc"] == pytest.approx(result.rows[3].auc)
    with pytest.raises(KeyError, match="no training with d = 2"):
        result.detector(2)
    result.save(tmp_path / "sweep")
    assert len((tmp_path / "sweep" / "sweep.csv").read_text().splitlines()) == 5
    with pytest.raises(FileExistsError, match="is not empty"):
        result.save(tmp_path / "sweep")


def test_sweep_without_labels(normal: np.ndarray, tmp_path: Path) -> None:
    with pytest.warns(FitWarning, match="there can be no AUC, as there are no test images labelled"):
        result = entropix.sweep(normal, dims=(2,), epochs=1, **SETTINGS)
    assert result.best() is None
    assert result.rows[0].auc is None
    folder = tmp_path / "train" / "good"
    folder.mkdir(parents=True)
    for i, image in enumerate(normal[:100, 0]):
        Image.fromarray((image * 255).astype(np.uint8)).save(folder / f"{i}.png")
    assert entropix.sweep(str(tmp_path), dims=(2,), epochs=1, **SETTINGS).best() is None
    with pytest.raises(DataError, match="expected 10 of 0"):
        entropix.sweep(normal, normal[:10], [0, 1], dims=(2,), epochs=1, **SETTINGS)


def test_codes_longer_than_the_data_can_bear(normal: np.ndarray) -> None:
    """10,000 latents of 90 images ran silently for ten minutes."""
    with pytest.raises(ValueError, match="latent_dim=2000, but each input has 1024 values"):
        entropix.fit(normal, latent_dim=2000, image_size=32, epochs=10_000, progress=False)
    with pytest.raises(ValueError, match="latent_dim=2000, but each input has 1024 values"):
        entropix.sweep(normal, dims=(2, 2000), image_size=32, epochs=10_000, progress=False)
    vectors = np.random.default_rng(0).standard_normal((60, 100))
    with pytest.raises(ValueError, match=r"latent_dim=101, but each input has 100 values .* at most 100, "):
        entropix.EntropixDetector(latent_dim=101, epochs=10_000).fit(vectors)
    check_code_length(100, 100)  # as its message says
    with pytest.warns(FitWarning, match="latent_dim=90 is more than the 48 distinct inputs to train on"):
        entropix.EntropixDetector(latent_dim=90, epochs=1, alpha=0.1).fit(vectors)
