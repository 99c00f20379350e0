"""A training that is divided among processes: what one process would have come to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import entropix
from entropix.cli import app
from entropix.models import Autoencoder, ImageAutoencoder
from entropix.strategies._constrain import Length
from entropix.training import NestedError, RelativeError, squared_error, train
from entropix.training import _checkpoint as checkpoints
from entropix.training import _parallel as parallel
from entropix.training._checkpoint import Checkpoint

EPOCHS = 6


class Plain(ImageAutoencoder):
    """An autoencoder without batch normalisation: dividing a batch then changes nothing but rounding."""

    def __init__(self) -> None:
        super().__init__(4, 1, 16)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(256, 32), nn.Tanh())
        self.to_code, self.from_code = nn.Linear(32, 4), nn.Linear(4, 32)
        self.decoder = nn.Sequential(nn.Tanh(), nn.Linear(32, 256), nn.Unflatten(1, (1, 16, 16)))


def constrained(model: Plain) -> Length:
    """The constrained length where it does not move, since moving needs a curve."""
    return Length(model, None, 0)  # type: ignore[arg-type]


CASES = {
    "squared": (Plain, squared_error),
    "relative": (Plain, RelativeError),
    "nested": (Plain, lambda model: NestedError(model, (1, 2, 4))),
    "constrained": (Plain, constrained),
    "normalised": (lambda: Autoencoder(4, 1, 16), RelativeError),
}


def images() -> torch.Tensor:
    return torch.as_tensor(entropix.datasets.phantoms(200, factors=3, image_size=16).images) * 2 - 1


def losses(case: str, epochs: int = EPOCHS, **options: Any) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Of each epoch, and the weights at the end."""
    make, objective = CASES[case]
    torch.manual_seed(0)
    model = make()
    found = train(model, images(), objective(model), epochs=epochs, seed=0, one_cycle=True, **options)
    return found, model.state_dict()


def main() -> None:
    """What each of two processes runs."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    fabric = parallel.launch("cpu", 2)
    with parallel.divided(fabric):
        found = {case: losses(case) for case in CASES}
        checkpoint = None if fabric.global_rank else Checkpoint(folder / "half", resume=True)
        found["resumed"] = losses("nested", checkpoint=checkpoint)
    torch.save(found, folder / f"{fabric.global_rank}.pt")


@pytest.fixture(scope="module")
def fabric() -> None:
    pytest.importorskip("lightning_fabric", reason="lightning-fabric (extra fabric) is missing")


@pytest.fixture(scope="module")
def found(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes found, started as Lightning Fabric starts them."""
    folder = tmp_path_factory.mktemp("parallel")
    checkpoint = Checkpoint(folder / "half")
    checkpoint.begin({})

    def stop(epoch: int, *_: Any) -> None:
        if epoch == 3:
            raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "SECONDS", 0.0)
        with pytest.raises(InterruptedError):
            losses("nested", checkpoint=checkpoint, on_epoch=stop)
    assert checkpoint.epochs() == 2  # the last state is that before the last step of the third
    command = [sys.executable, __file__, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=300, env=environment())
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


@pytest.mark.parametrize("case", CASES)
def test_same_as_one_process(found: list[dict[str, Any]], case: str) -> None:
    alone, weights = losses(case)
    # two halves of a batch are normalised apart on the CPU
    tolerance = 0.03 if case == "normalised" else 1e-6
    for divided, theirs in (one[case] for one in found):
        np.testing.assert_allclose(divided, alone, rtol=tolerance)
        assert all(torch.equal(value, found[0][case][1][name]) for name, value in theirs.items())
        if case != "normalised":
            for name, value in theirs.items():
                torch.testing.assert_close(value, weights[name], rtol=1e-4, atol=1e-5)


def test_two_processes_go_on_where_one_was(found: list[dict[str, Any]]) -> None:
    whole, _ = losses("nested")
    for one in found:
        np.testing.assert_allclose(one["resumed"][0], whole, rtol=1e-6)


def test_command(fabric: None, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", entropix.datasets.phantoms(100, factors=3, image_size=16).images)
    options = {"out": "model", "latent-dim": 2, "image-size": 16, "epochs": 3, "device": "cpu", "log-json": "log"}
    command = [sys.executable, "-m", "entropix", "fit", "x.npy", "--json", "--devices", "2"]
    command += [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"]["device"] == "cpu"  # one document: the other process is silent
    assert len((tmp_path / "log").read_text().splitlines()) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "model", "log"}
    assert entropix.load(tmp_path / "model").latent_dim_ == 2
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment())
    assert again.returncode == 1
    assert "--overwrite" in again.stderr


def fake(processes: int, device: str = "cpu") -> Any:
    """The first process of a Fabric that does nothing."""
    return SimpleNamespace(
        world_size=processes,
        global_rank=0,
        device=torch.device(device),
        setup=lambda module, optimizer: (module, optimizer),
        broadcast=lambda value: value,
        backward=torch.Tensor.backward,
    )


def test_whole_batches_are_normalised_on_gpus() -> None:
    model = Autoencoder(2, 1, 16)
    before = dict(model.named_modules())
    names = [name for name, one in before.items() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)]
    optimizer = torch.optim.Adam(model.parameters())
    with parallel.divided(fake(2, "cuda")), parallel.training(model, squared_error(model), optimizer):
        assert all(isinstance(model.get_submodule(name), nn.SyncBatchNorm) for name in names)
        with torch.no_grad():
            for one in (*model.parameters(), *model.buffers()):
                one.add_(1)
    assert dict(model.named_modules()) == before
    assert len(names) == 10
    for name in names:
        assert float(model.get_submodule(name).running_mean.mean()) == 1
        assert float(model.get_submodule(name).weight.detach().mean()) == 2


def test_batches_that_cannot_be_divided() -> None:
    with parallel.divided(fake(3)), pytest.raises(ValueError, match="64 images can't be divided among 3 processes"):
        parallel.share(torch.arange(64))
    with parallel.divided(fake(64)), pytest.raises(ValueError, match="64 processes"):
        parallel.share(torch.arange(64))
    with pytest.raises(ValueError, match="device='cuda:1' with 2 devices"):
        parallel.launch("cuda:1", 2)
    with pytest.raises(ValueError, match="64 images can't be divided among 3 processes"):
        entropix.fit("nothing is read", fabric=fake(3))


def test_command_with_devices_that_cannot_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "launch", lambda *_: pytest.fail("processes were started"))
    done = CliRunner().invoke(app, ["fit", "nothing", "--out", str(tmp_path / "model"), "--devices", "3"])
    assert isinstance(done.exception, ValueError)
    assert "3 processes; take 2, 4, 8, 16 or 32" in str(done.exception)


if __name__ == "__main__":
    main()
