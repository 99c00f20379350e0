"""The command line: what it prints, writes and refuses."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import entropix_cli
from dicom_files import save_series
from helpers import labelled_folder
from PIL import Image

import entropix
import entropix.cli._demo

FAST = ["--image-size", "32", "--epochs", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data.json folder of PNG files: 90 to train, 10 normal and 10 abnormal to test."""
    return labelled_folder(tmp_path_factory.mktemp("data"), n_train=90, n_test=10, size=40)


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "m"
    result = entropix_cli("fit", folder, "--out", out, *FAST, "--json")
    document = json.loads(result.stdout)
    assert 1 <= document["latent_dim"] <= 128
    assert document["settings"]["n_images"] == 90
    assert document["latent_dim"] in [row["latent_dim"] for row in document["curve"]]
    return out


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_score_writes_a_row_per_file(model: Path, folder: Path, tmp_path: Path) -> None:
    out, maps = tmp_path / "s.csv", tmp_path / "maps"
    result = entropix_cli("score", model, folder, "--out", out, "--heatmaps", maps, "--json")
    document = json.loads(result.stdout)
    assert document["n"] == 20
    assert set(document["metrics"]) == {"surprisal", "residual"}
    assert 0 <= document["metrics"]["surprisal"]["auc"] <= 1
    rows = read_rows(out)
    assert list(rows[0]) == ["path", "label", "surprisal", "p_value", "residual", "anomalous"]
    assert [row["label"] for row in rows] == ["0"] * 10 + ["1"] * 10
    scores = entropix.load(model).anomaly_score(str(folder / rows[3]["path"]))
    assert document["n_anomalous"] == sum(float(row["p_value"]) <= document["alpha"] for row in rows)
    assert float(rows[3]["surprisal"]) == pytest.approx(float(scores[0]), rel=1e-5)
    pictures = sorted(maps.rglob("*.png"))
    assert len(pictures) == 20
    with Image.open(pictures[0]) as picture:
        assert picture.size == (40, 40)
    refused = entropix_cli("score", model, folder, "--out", out, code=1)
    assert "--overwrite" in refused.stderr
    assert "is a folder" in entropix_cli("score", model, folder, "--out", tmp_path, "--overwrite", code=1).stderr
    for name in ("s.volumes.csv", "s.masks.csv"):  # of an older run
        (tmp_path / name).touch()
    entropix_cli("score", model, folder, "--out", out, "--overwrite")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["maps", "s.csv"]


def test_score_writes_the_dicom_objects_that_are_asked_for(model: Path, tmp_path: Path) -> None:
    save_series(tmp_path / "in", np.random.default_rng(0).integers(0, 255, (2, 32, 32), dtype=np.uint8))
    given = ("score", model, tmp_path / "in", "--out", tmp_path / "s.csv")
    entropix_cli(*given, "--heatmaps", tmp_path / "maps", "--keep-ids")
    written = sorted(path.relative_to(tmp_path / "maps").as_posix() for path in (tmp_path / "maps").rglob("*.dcm"))
    assert written == ["map/0.dcm", "overlay/0.dcm", "overlay/1.dcm"]
    chosen = ("--dicom", "overlay", "--dicom", "report", "--overwrite")
    entropix_cli(*given, "--heatmaps", tmp_path / "more", *chosen)
    assert sorted(path.name for path in (tmp_path / "more").iterdir()) == ["overlay", "report"]
    refused = entropix_cli(*given, "--heatmaps", tmp_path / "none", "--dicom", "rtstruct", "--overwrite", code=1)
    assert "expected one or more of overlay, map, seg, report" in refused.stderr


def test_score_of_unknown_labels(model: Path, folder: Path, tmp_path: Path) -> None:
    result = entropix_cli("score", model, folder / "images" / "000.png", "--out", tmp_path / "s.csv", "--json")
    assert json.loads(result.stdout)["metrics"] == {}
    assert read_rows(tmp_path / "s.csv")[0]["label"] == ""


def test_fit_refuses_bad_input(model: Path, folder: Path, tmp_path: Path) -> None:
    empty, words, corrupt = tmp_path / "empty", tmp_path / "words", tmp_path / "corrupt"
    for one in (empty, words, corrupt):
        one.mkdir()
    (words / "readme.txt").write_text("no image")
    for file in sorted((folder / "images").iterdir())[:95]:
        (corrupt / file.name).write_bytes(file.read_bytes())
    (corrupt / "bad.png").write_bytes((corrupt / "000.png").read_bytes()[:200])
    out = tmp_path / "out"
    for data in (empty, words, tmp_path / "nowhere"):
        assert str(data) in entropix_cli("fit", data, "--out", out, code=1).stderr.replace("\n", "")
    assert "bad.png" in entropix_cli("fit", corrupt, "--out", out, code=1).stderr
    assert not out.exists()
    refused = entropix_cli("fit", folder, "--out", model, *FAST, code=1)
    assert "already holds a model" in refused.stderr
    result = entropix_cli("fit", corrupt, "--out", out, *FAST, "--latent-dim", "2", "--skip-unreadable", "--json")
    document = json.loads(result.stdout)
    assert [name for name, _ in document["settings"]["unreadable"]] == ["bad.png"]
    assert "bad.png" in result.stderr
    assert (out / "detector.json").exists()


def test_score_refuses_what_is_no_model(folder: Path, tmp_path: Path) -> None:
    refused = entropix_cli("score", folder, folder, "--out", tmp_path / "s.csv", code=1)
    assert "no model folder" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_usage_errors_exit_with_2(tmp_path: Path) -> None:
    entropix_cli("fit", code=2)
    entropix_cli("unknown", code=2)
    for wrong in ("many", "4,8", "0"):
        entropix_cli("fit", "x", "--out", tmp_path / "o", "--latent-dim", wrong, code=2)
    entropix_cli("fit", "x", "--out", tmp_path / "o", "--epochs", "0", code=2)


def test_sweep_command(folder: Path, tmp_path: Path) -> None:
    result = entropix_cli("sweep", folder, "--out", tmp_path / "s", "--dims", "1,2", *FAST, "--json")
    document = json.loads(result.stdout)
    assert [row["latent_dim"] for row in document["table"]] == [1, 2]
    assert document["best"]["latent_dim"] in (1, 2)
    assert not any(name.endswith("_sd") for name in document["best"])  # of one seed
    assert (tmp_path / "s" / "sweep.csv").exists()


def test_entropy_command(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((2000, 2))
    np.save(tmp_path / "x.npy", x)
    np.savetxt(tmp_path / "x.csv", x, delimiter=",")
    for name in ("x.npy", "x.csv"):
        document = json.loads(entropix_cli("entropy", tmp_path / name, "--json").stdout)
        assert document["entropy"]["value"] == pytest.approx(2 * 1.4189, abs=0.1)
        assert document["intrinsic_dimension"]["value"] == pytest.approx(2, abs=0.2)
    (tmp_path / "patients.txt").write_text("".join(f"p{i // 100}\n" for i in range(2000)))
    grouped = json.loads(
        entropix_cli("entropy", tmp_path / "x.csv", "--groups", tmp_path / "patients.txt", "--json").stdout
    )
    for name in ("entropy", "intrinsic_dimension"):
        assert grouped[name]["value"] == document[name]["value"]
        assert grouped[name]["stderr"] != document[name]["stderr"]
    (tmp_path / "few.txt").write_text("a\nb\n")
    refused = entropix_cli("entropy", tmp_path / "x.csv", "--groups", tmp_path / "few.txt", code=1).stderr
    assert "expected one label for each of 2000 rows" in refused
    assert "nats" in entropix_cli("entropy", tmp_path / "x.npy").stdout
    (tmp_path / "empty.npy").write_bytes(b"")
    assert "empty.npy" in entropix_cli("entropy", tmp_path / "empty.npy", code=1).stderr
    (tmp_path / "bad.csv").write_text("a,b\n")
    assert "bad.csv" in entropix_cli("entropy", tmp_path / "bad.csv", code=1).stderr


def test_a_process_of_its_own(tmp_path: Path) -> None:
    """Exit codes and the two streams as a shell sees them."""
    call = [sys.executable, "-m", "entropix"]
    options: dict[str, Any] = {"capture_output": True, "text": True, "check": False, "cwd": tmp_path}
    good = subprocess.run([*call, "info", "--json"], **options)
    assert (good.returncode, good.stderr) == (0, "")
    json.loads(good.stdout)
    bad = subprocess.run([*call, "entropy", "nowhere.npy"], **options)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == "error: nowhere.npy: no such file\n"


def test_version() -> None:
    assert entropix_cli("--version").stdout == f"{entropix.__version__}\n"


def test_info_command() -> None:
    document = json.loads(entropix_cli("info", "--json").stdout)
    assert document["entropix"] == entropix.__version__
    assert document["native_built"] is True
    assert document["native_cuda_usable"] == (torch.cuda.is_available() and document["native_cuda_built"])


@pytest.mark.usefixtures("few_candidates")
def test_demo_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short one: twice into the same folder, and never into somebody else's."""
    for name, value in {"TRAIN": 100, "TEST": 20, "EPOCHS": 1, "SWEEP_DIMS": (1,), "SWEEP_EPOCHS": 1}.items():
        monkeypatch.setattr(entropix.cli._demo, name, value)
    out = tmp_path / "demo"
    document = json.loads(entropix_cli("demo", "--out", out, "--full", "--json").stdout)
    assert document["true_factors"] == 8
    assert [row["latent_dim"] for row in document["sweep"]] == [1]
    lines = entropix_cli("demo", "--out", out).stdout.splitlines()
    assert any(line.split()[:3] == ["chosen", "d", str(document["latent_dim"])] for line in lines)
    assert any(re.match(r"  surprisal +0\.\d{3}  at the chosen d", line) for line in lines)
    assert not any("sweep" in line for line in lines)
    assert lines[-1] == f"open {out / 'report.html'}"
    assert {p.name for p in out.iterdir()} == {"model", "report.html", "heatmaps.png", "curve.png", "demo.json"}
    assert "lesion-" in (out / "report.html").read_text(encoding="utf-8")
    assert entropix.load(out / "model").latent_dim_ == document["latent_dim"]
    for name in ("notes.txt", "model"):  # a model that no demo wrote
        mine = tmp_path / f"mine-{name}"
        mine.mkdir()
        (mine / name).write_text("mine")
        assert "is not empty" in entropix_cli("demo", "--out", mine, code=1).stderr


def test_heatmaps_have_titles_and_a_colour_bar(model: Path) -> None:
    images = entropix.datasets.phantoms(2, 2, image_size=40).images
    figure, axes = entropix.plots.new_figure(4, 4, 3, 2)
    masks = np.zeros((2, 40, 40), dtype=bool)
    masks[1, 5:9, 5:9] = True
    entropix.plots.plot_heatmaps(entropix.load(model), images, axes, masks, ["normal", "lesion"])
    assert [ax.get_title() for ax in axes[0]] == ["normal", "lesion"]
    assert [ax.get_ylabel() for ax in figure.axes[6:]] == ["nats per pixel"]
    with pytest.raises(ValueError, match="zip"):
        entropix.plots.plot_heatmaps(entropix.load(model), images, axes, masks, ["one"])


def test_too_short_a_fit_makes_no_choice(folder: Path, tmp_path: Path) -> None:
    result = entropix_cli("fit", folder, "--out", tmp_path / "m", *FAST)
    assert "which is no choice: 2 epochs were too few" in result.stdout
    assert "fit again with epochs=600" in result.stderr
    assert entropix.load(tmp_path / "m").settings_["enough_epochs"] == 600


def test_fit_logs_epochs(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "fit.jsonl"
    options = ["--latent-dim", "1", "--log-json", log]
    entropix_cli("fit", folder, "--out", tmp_path / "m", *FAST, *options)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["epoch"], line["epochs"]) for line in lines] == [(1, 2), (2, 2)]
    assert lines[1]["loss"] == entropix.load(tmp_path / "m").history_[1]
    assert lines[0]["seconds"] <= lines[1]["seconds"]
    assert lines[1]["entropy"] < lines[1]["entropy_images"]  # nats; the last epoch is always measured
    assert lines[1]["error_held_out"] > 0
    assert "fit.jsonl exists" in entropix_cli("fit", folder, "--out", tmp_path / "n", *FAST, *options, code=1).stderr
    assert not (tmp_path / "n").exists()
