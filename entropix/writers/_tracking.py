"""A fit in MLflow or Weights & Biases, through their own clients."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from entropix._utils import Epoch, install_hint

MEASURED = ("loss", "error_held_out", "entropy", "entropy_images")


def numbers_of(at: Epoch) -> dict[str, float]:
    """Return the numbers that are known of an epoch, by name."""
    found = {name: getattr(at, name) for name in MEASURED}
    return {name: value for name, value in found.items() if value is not None}


class MLflow:
    """An `on_epoch` for a fit: it writes the numbers of every `Epoch` to a run of MLflow, which ends with the fit.

    Args:
        experiment: name of the experiment; it is made if there is none.
        uri: of the tracking server, a folder or a database; None: what MLFLOW_TRACKING_URI says.
        run_id: the run that an interrupted fit wrote to, to go on there; None: a new one.

    Attributes:
        run_id: the run, for artifacts and parameters of one's own.

    Raises:
        ModuleNotFoundError: the extra `mlflow` is not installed.
    """

    def __init__(self, experiment: str = "entropix", uri: str | None = None, run_id: str | None = None) -> None:
        if find_spec("mlflow") is None:
            raise ModuleNotFoundError(f"a run of MLflow needs mlflow: {install_hint('mlflow')}")
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        if run_id is None:
            known = self._client.get_experiment_by_name(experiment)
            number = self._client.create_experiment(experiment) if known is None else known.experiment_id
            run_id = self._client.create_run(number).info.run_id
        self.run_id = run_id

    def __call__(self, at: Epoch) -> None:
        for name, value in numbers_of(at).items():
            self._client.log_metric(self.run_id, name, value, step=at.epoch)
        if at.epoch == at.epochs:
            self._client.set_terminated(self.run_id)


class WeightsAndBiases:
    """An `on_epoch` for a fit: it writes the numbers of every `Epoch` to a run of Weights & Biases.

    Args:
        project: name of the project.
        **settings: of the run, as `wandb.init` takes them: name, dir, mode="offline"; id and resume to go on; ...

    Raises:
        ModuleNotFoundError: the extra `wandb` is not installed.
    """

    def __init__(self, project: str = "entropix", **settings: Any) -> None:
        if find_spec("wandb") is None:
            raise ModuleNotFoundError(f"a run of Weights & Biases needs wandb: {install_hint('wandb')}")
        import wandb

        self.run = wandb.init(project=project, **settings)

    def __call__(self, at: Epoch) -> None:
        self.run.log(numbers_of(at), step=at.epoch)
        if at.epoch == at.epochs:
            self.run.finish()
