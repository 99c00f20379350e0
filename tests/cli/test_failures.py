"""What a user can mend is one line; what only we can mend has a traceback."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import entropix_cli

import entropix
from entropix.cli._failures import for_users
from entropix.exceptions import DataError


def test_a_fault_of_ours_has_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", np.zeros((20, 2)))
    for fault in (TypeError("unsupported operand"), KeyError("missing"), ValueError("shapes"), AttributeError("none")):

        def broken(*_: Any, fault: Exception = fault, **__: Any) -> None:
            raise fault

        monkeypatch.setattr(entropix.estimators, "entropy", broken)
        told = entropix_cli("entropy", tmp_path / "x.npy", code=1).stderr
        assert "Traceback (most recent call last)" in told
        assert "in broken" in told
        assert "fault of entropix" in told.splitlines()[-2]
        assert "entropix info" in told.splitlines()[-1]


def test_what_the_user_can_mend_is_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "complex.npy", np.zeros((20, 2), dtype=complex))
    for words in (("entropy", tmp_path / "no.npy"), ("entropy", tmp_path / "complex.npy")):  # DataError, TypeError
        told = entropix_cli(*words, code=1).stderr
        assert told.startswith("error: ")
        assert len(told.splitlines()) == 1
    told = entropix_cli("fit", tmp_path, "--out", tmp_path / "m", "--alpha", "2", code=1).stderr  # ValueError
    assert told.splitlines() == ["error: alpha=2.0; expected a false-positive rate between 0 and 1, such as 0.05"]


def test_traceback_on_request(tmp_path: Path) -> None:
    for words in (("--traceback", "entropy"), ("entropy", "--traceback"), ("entropy", "--json", "--traceback")):
        with pytest.raises(DataError, match="no such file"):  # Python's own end of a program
            entropix_cli(*words, tmp_path / "no.npy")
    with pytest.raises(DataError, match="no such file"):
        entropix_cli("entropy", tmp_path / "no.npy", "--traceback")
    assert "no such file" in entropix_cli("entropy", "--", "--traceback", code=1).stderr  # a file of this name


def test_too_little_memory_says_what_needs_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor's and a GPU's, of PyTorch and NumPy."""
    np.save(tmp_path / "x.npy", np.zeros((20, 2)))
    for error in (
        raised(lambda: torch.empty(10**15)),
        raised(lambda: np.empty(10**15)),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ):

        def full(*_: Any, error: Exception = error, **__: Any) -> None:
            raise error

        monkeypatch.setattr(entropix.estimators, "entropy", full)
        told = entropix_cli("entropy", tmp_path / "x.npy", code=1).stderr
        assert told.startswith(
            "error: too little memory; give it fewer images or samples at once, a smaller --image-size"
        )
        assert len(told.splitlines()) == 1


def raised(function: Any) -> Exception:
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


def test_kinds_of_errors() -> None:
    for words in (
        lambda: entropix.entropy(torch.zeros(3, 2), k=-1),
        lambda: entropix.entropy(["a", "b"]),
        lambda: entropix.fit(np.zeros((90, 32, 32)), latent_dim=0),
        lambda: Path("nowhere").read_text(),
    ):
        assert for_users(raised(words))
    assert for_users(torch.OutOfMemoryError("CUDA out of memory"))
    for fault in (
        lambda: np.zeros(3) + np.zeros(4),
        lambda: {}["a"],
        lambda: None + 1,
        lambda: torch.zeros(2, 3) @ [1],
    ):  # type: ignore[operator]
        assert not for_users(raised(fault))
    assert not for_users(ValueError("raised nowhere"))
