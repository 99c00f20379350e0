"""A fit in MLflow and in Weights & Biases, without a server."""

from pathlib import Path

import pytest

from entropix._utils import Epoch
from entropix.writers import MLflow, WeightsAndBiases

EPOCHS = [
    Epoch(1, 2, 0.5, 1.0),
    Epoch(2, 2, 0.25, 2.0, error_held_out=0.02, entropy=5.0, entropy_images=9.0),
]


@pytest.mark.slow
def test_mlflow_keeps_every_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "runs").as_uri()
    watch = MLflow("chest", uri)
    watch(EPOCHS[0])
    MLflow("chest", uri, watch.run_id)(EPOCHS[1])  # as a resumed fit does
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("chest").experiment_id])
    assert run.data.metrics == {"loss": 0.25, "error_held_out": 0.02, "entropy": 5.0, "entropy_images": 9.0}
    assert [(one.step, one.value) for one in client.get_metric_history(watch.run_id, "loss")] == [(1, 0.5), (2, 0.25)]
    assert run.info.status == "FINISHED"


@pytest.mark.slow
def test_weights_and_biases_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    watch = WeightsAndBiases("chest", mode="offline", dir=str(tmp_path))
    for at in EPOCHS:
        watch(at)
    (written,) = tmp_path.glob("wandb/offline-run-*/*.wandb")  # `wandb sync` sends it
    assert all(name in written.read_bytes() for name in (b"loss", b"entropy_images"))


@pytest.mark.parametrize(("kind", "library"), [(MLflow, "mlflow"), (WeightsAndBiases, "wandb")])
def test_a_missing_library_is_named(kind: type, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropix.writers._tracking.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install .*\[{library}\]"):
        kind()
