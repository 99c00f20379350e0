"""The benchmarks: their data, their rivals against answers that are known, and runs that continue where they were."""

import json
import sys
from functools import partial
from pathlib import Path

import auto_vs_fixed
import many_tasks
import numpy as np
import pixels
import pytest
import readme_tables
import torch
from page_tables import layout, speed
from rivals import dimension, irmae, least_volume, shallow, uncertainty
from runs import Runs
from tasks import TASKS, Task, load

import entropix
from entropix.ops import knn
from entropix.strategies import STRATEGIES
from entropix.training import squared_error, train


@pytest.fixture(scope="module")
def grey() -> torch.Tensor:
    """Images with one factor, the grey level: (128, 1, 32, 32) on [-1, 1]."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(128, 1, 1, 1, generator=generator).expand(-1, -1, 32, 32).contiguous() * 2 - 1


@pytest.mark.parametrize("name", TASKS)
def test_tasks(name: str) -> None:
    task = load(name)
    assert task.name == name
    assert len(task.train) >= 400
    assert (task.train.labels == 0).all()
    assert set(task.test.labels) == {0, 1}
    for images in (task.train, task.test):
        assert images.pixels.shape[1:] == (1, 32, 32)
        assert 0 <= images.pixels.min() < images.pixels.max() <= 1
        assert not len(images.constant())
    nearest = knn(task.train.pixels.flatten(1), 1, query=task.test.pixels.flatten(1)).distances
    assert nearest.min() > 0.1, "a test image is a copy of a training image"


def test_unknown_task() -> None:
    with pytest.raises(SystemExit, match="nowhere: no such folder, and none of the tasks digits-low"):
        load("nowhere")


def test_elbow_of_a_broken_line() -> None:
    dims = (1, 2, 4, 8, 16, 32)
    errors = [31 - d if d <= 8 else 23 - 0.1 * d for d in dims]
    assert dimension.elbow(dims, errors) == 8


def test_candidates() -> None:
    assert [dimension.nearest(d, (1, 8, 64)) for d in (2, 3, 20, 24, 500)] == [1, 8, 8, 64, 64]
    assert [dimension.at_least(d, (1, 8, 64)) for d in (0.5, 1.2, 8, 9, 65)] == [1, 8, 8, 64, 64]


def test_dimensions_of_a_subspace() -> None:
    torch.manual_seed(0)
    flat = torch.randn(600, 3) @ torch.linalg.qr(torch.randn(256, 3)).Q.T
    images = (flat + 1e-6 * torch.randn(600, 256)).reshape(600, 1, 16, 16)
    assert dimension.pca_dimension(images) == 3
    assert dimension.twonn_dimension(images) == pytest.approx(3, rel=0.1)


def test_rank_is_where_the_gap_is() -> None:
    values = torch.tensor([1.0, 0.5, 0.2, 1e-4, 9e-5, 8e-5], dtype=torch.float64)
    assert irmae.rank(values) == 3
    noise = torch.tensor([1.0, 0.5, 1e-3, 1e-12, 1e-30, 0.0], dtype=torch.float64)
    assert irmae.rank(noise) == 3


def test_irmae_leaves_few_directions(grey: torch.Tensor) -> None:
    """One factor is a curve in two or three directions; without the linear layers it fills many more."""
    values = irmae.spectrum(irmae.train_irmae(grey, epochs=20, seed=0), grey)
    assert irmae.rank(values) <= 3
    torch.manual_seed(0)
    plain = entropix.models.Autoencoder(irmae.WIDTH, image_size=32)
    train(plain, grey, squared_error(plain), epochs=20, seed=0)
    assert values[4] < 0.1 * irmae.spectrum(plain, grey)[4]


def test_least_volume_decoder_does_not_magnify(grey: torch.Tensor) -> None:
    model = least_volume.train_least_volume(grey, epochs=2, seed=0)
    for layer in model.decoder:  # training takes one step of the power method at a time; here to its end
        if isinstance(layer, torch.nn.ConvTranspose2d):
            layer.parametrizations.weight[0]._iterate(layer.parametrizations.weight.original, 500)
    z = torch.randn(40, 128)
    step = torch.randn(40, 128)
    with torch.no_grad():
        ratio = (model.decode(z + step) - model.decode(z)).flatten(1).norm(dim=1) / step.norm(dim=1)
    assert ratio.max() <= 1.01
    # each convolution's map, written out: its largest singular value is 1
    layer = model.decoder[4]
    basis = torch.eye(64 * 2 * 2).reshape(-1, 64, 2, 2)
    with torch.no_grad():
        matrix = (layer(basis) - layer(torch.zeros_like(basis))).flatten(1)
    assert torch.linalg.matrix_norm(matrix, 2) == pytest.approx(1, abs=0.02)


def test_pruning_keeps_what_explains() -> None:
    """A code of four latents of which two matter, and none of them in the order of their names."""

    class Linear(torch.nn.Module):
        scale = torch.tensor([0.0, 2.0, 0.01, 1.0])

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :4]

        def decode(self, z: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.pad(z, (0, 12)).reshape(-1, 1, 4, 4)

    torch.manual_seed(0)
    x = Linear().decode(torch.randn(500, 4) * Linear.scale)
    assert least_volume.pruned_dimension(Linear(), x) == 2  # type: ignore[arg-type]


def test_uncertainty_learns_the_noise() -> None:
    """The left half is certain, the right half is noise: ln sigma^2 tells them apart."""
    torch.manual_seed(0)
    x = torch.zeros(256, 1, 32, 32)
    x[..., 16:] = 0.5 * torch.randn(256, 1, 32, 16)
    model = uncertainty.train_uncertainty(x, 2, epochs=15, seed=0)
    with torch.no_grad():
        relative, log_variance = model.terms(x)
    assert relative.shape == log_variance.shape == x.shape
    left, right = log_variance[..., 2:14].mean().item(), log_variance[..., 18:30].mean().item()
    assert right == pytest.approx(np.log(0.25), abs=0.5)
    assert left < right - 1


def test_shallow_detectors_find_what_is_off() -> None:
    """Normal images vary in two directions; the odd ones lie off that plane, or far out in it."""
    torch.manual_seed(0)
    plane = torch.randn(2, 64)
    normal = torch.randn(220, 2) @ plane
    train, usual = normal[:200].reshape(-1, 1, 8, 8), normal[200:].reshape(-1, 1, 8, 8)
    off, far = 4 * torch.randn(5, 1, 8, 8), (20 * torch.ones(5, 2) @ plane).reshape(-1, 1, 8, 8)
    components = shallow.Components.of(train)
    assert components.squared_residual(usual).max() < 1e-6 < components.squared_residual(off).mean()
    distance = [shallow.neighbour_distance(train, x) for x in (usual, off, far)]
    assert distance[0].max() < min(distance[1].min(), distance[2].min())


def test_pixel_metrics() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((3, 4, 4)) < 0.3
    maps = np.round(masks + rng.normal(0, 0.7, masks.shape), 1)  # with ties
    dice = max(2 * (masks & (maps >= t)).sum() / (masks.sum() + (maps >= t).sum()) for t in np.unique(maps))
    assert many_tasks.pixel_metrics(masks, maps)["dice"] == pytest.approx(dice)
    assert many_tasks.pixel_metrics(masks, masks.astype(float)) == {"pixel_ap": 1.0, "dice": 1.0}


@pytest.fixture(scope="module")
def tiny() -> Task:
    images = entropix.datasets.phantoms(160, 2, lesions=0.2, image_size=32)
    values = entropix.data.read(images.images, image_size=32, split="test")
    values.labels[:] = images.labels
    normal = np.flatnonzero(images.labels == 0)
    sick = np.flatnonzero(images.labels == 1)
    return Task("tiny", values.subset(normal[:100]), values.subset(np.concatenate([normal[100:], sick])))


def test_runs_are_computed_once(tiny: Task, tmp_path: Path) -> None:
    runs = Runs(tmp_path, epochs=1, device="cpu")
    first = runs.sweep(tiny, (2, 3), 0)
    assert [row["latent_dim"] for row in first] == [2, 3]
    assert {"auc", "ap", "error_held_out", "seconds", "cpu_seconds", "surprisal"} <= set(first[0])
    assert runs.detector(tiny, 2, 0).latent_dim_ == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model-tiny-1-0-2", "model-tiny-1-0-3", "tiny-1-0-2-3.json"]
    assert runs.once(tiny, 0, "2-3", lambda: pytest.fail("computed again")) == first
    with pytest.raises(RuntimeError, match="killed"):
        runs.once(tiny, 0, "4", lambda: (_ for _ in ()).throw(RuntimeError("killed")))
    assert not (tmp_path / "tiny-1-0-4.json").exists()


@pytest.mark.slow
def test_auto_vs_fixed(tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole script for two dims, and again from what it left."""
    monkeypatch.setattr(auto_vs_fixed, "DIMS", (8, 16))
    monkeypatch.setattr(auto_vs_fixed, "FIXED", (8, 16))
    monkeypatch.setattr(auto_vs_fixed, "load", lambda _: tiny)
    out = tmp_path / "r.json"
    arguments = f"--data tiny --epochs 1 --seeds 0 --device cpu --out {out}"
    monkeypatch.setattr(sys, "argv", ["auto_vs_fixed.py", *arguments.split()])
    auto_vs_fixed.main()
    document = json.loads(out.read_text())
    (entry,) = document["sets"]
    rows = {row["method"]: row for row in entry["methods"]}
    names = ["oracle", "fixed-8", "fixed-16", "elbow", "pca", "twonn", "irmae", "least-volume"]
    assert list(rows) == [*names, *STRATEGIES]
    assert rows["oracle"]["regret"] == 0
    assert all(rows[name]["regret"] >= 0 for name in names)
    assert min(rows["fixed-8"]["regret"], rows["fixed-16"]["regret"]) == 0
    assert document["summary"]["fixed-8"]["regret"] == rows["fixed-8"]["regret"]
    assert document["summary"]["select"]["regret"] == rows["select"]["regret_of_choice"]
    assert (tmp_path / "r.png").stat().st_size > 1000
    monkeypatch.setattr(entropix, "fit", lambda *_, **__: pytest.fail("computed again"))
    auto_vs_fixed.main()


def test_many_tasks(tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_tasks, "load", lambda _: tiny)
    monkeypatch.setattr(pixels, "SIZES", {"large": (0.1, 0.2)})
    monkeypatch.setattr(entropix, "fit", partial(entropix.fit, epochs=1))
    monkeypatch.setattr(Runs, "epochs_of", lambda *_: 1)
    monkeypatch.setattr(sys, "argv", f"many_tasks.py --data tiny --device cpu --out {tmp_path / 'm.json'}".split())
    many_tasks.main()
    document = json.loads((tmp_path / "m.json").read_text())
    ((run,),) = (entry["runs"] for entry in document["sets"])
    assert tuple(run["auc"]) == tuple(document["summary"]["columns"]) == many_tasks.COLUMNS
    assert all(0 <= value <= 1 for value in [*run["auc"].values(), run["pixel_ap"], run["false_positive_rate"]])


def test_ranks_of_columns() -> None:
    """Two sets on which the order of the columns is turned round: all ranks are the middle one."""
    n = len(many_tasks.COLUMNS)
    aucs = [dict(zip(many_tasks.COLUMNS, np.linspace(*ends, n), strict=True)) for ends in ((0.5, 0.9), (0.9, 0.5))]
    summary = many_tasks.summarise([{"data": str(i), "runs": [{"auc": auc}]} for i, auc in enumerate(aucs)])
    for column in summary["columns"].values():
        assert column["mean"] == pytest.approx(0.7)
        assert column["mean_rank"] == (n + 1) / 2
    assert summary["columns"][many_tasks.COLUMNS[0]]["worst_loss"] == pytest.approx(0.4)
    # Demsar (2006), table 5: q is 3.102 for nine classifiers
    assert summary["critical_difference"] == pytest.approx(3.102 * (n * (n + 1) / 12) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("page", readme_tables.PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert readme_tables.filled(text) == text


@pytest.mark.parametrize("reached", [0, 1])
def test_tries_that_missed_their_goal_are_not_shown(monkeypatch: pytest.MonkeyPatch, reached: int) -> None:
    document = layout.results("training")
    missed = document["quality"][reached:]
    for run in missed:
        del run["faster"]
    monkeypatch.setattr(speed, "results", lambda _: document)
    table = speed.training()
    (ours,) = (line.split(" | ") for line in table.splitlines() if line.startswith("| entropix |"))
    assert ours[3] == "-"
    assert ours[4].count("-") == ours[5].count("-") == len(missed)
    assert ("none does" in table) == (reached == 0)
