"""One list of options: `fit`, the detector, the command line and the report's command agree with it."""

import inspect
import shlex
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

import entropix
from entropix.cli import app
from entropix.data import Select
from entropix.options import FitOptions, flags, to_words

DEFAULTS = {one.name: one.default for one in fields(FitOptions)}


def test_the_detector_takes_the_parameters() -> None:
    own = dict(inspect.signature(entropix.EntropixDetector).parameters)
    assert {name: one.default for name, one in own.items()} == FitOptions().parameters()
    assert set(own) == set(entropix.EntropixDetector().get_params())


def test_fit_takes_all_and_documents_them() -> None:
    own = dict(inspect.signature(entropix.fit).parameters)
    assert list(own) == ["dataset", *DEFAULTS]
    assert {name: one.default for name, one in own.items() if name != "dataset"} == DEFAULTS
    arguments = (entropix.fit.__doc__ or "").partition("Args:")[2].partition("Returns:")[0]
    assert [name for name in DEFAULTS if f"    {name}: " not in arguments] == []


def test_the_command_line_takes_all_that_have_a_flag() -> None:
    command = get_command(app).commands["fit"]  # type: ignore[attr-defined]
    usual = command.make_context("fit", ["DATA", "--out", "MODEL"]).params
    found = {option: one for one in command.params for option in one.opts}
    for name, (one, flag) in flags().items():
        shown = found[f"--{flag.name or name.replace('_', '-')}"]
        assert shown.help == flag.help
        assert flag.parse(usual[name]) == one.default


def test_words_repeat_the_options() -> None:
    """What is written down is read back as the same options."""
    values: dict[str, Any] = {
        "latent_dim": 7,
        "strategy": "prune",
        "alpha": 0.1,
        "epochs": 3,
        "select": Select(axis="coronal", slices=(3, None), series="T1 *", bids={"suffix": "FLAIR", "run": "1"}),
        "include": ["sub-0*", "a b"],
        "exclude": ["*.png"],
        "skip_unreadable": True,
    }
    words = shlex.split(" ".join(to_words(values)))
    command = get_command(app).commands["fit"]  # type: ignore[attr-defined]
    context = command.make_context("fit", ["DATA", "--out", "MODEL", *words])
    parsed = {name: flag.parse(context.params[name]) for name, (_, flag) in flags().items()}
    assert FitOptions(**parsed) == FitOptions(**values)
    assert to_words({}) == []
    assert to_words({"skip_unreadable": False, "select": Select(), "cache": False}) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "guess"}, "strategy='guess'; expected one of select, prune, constrain"),
        ({"architecture": "dense"}, "architecture='dense'; expected one of convolutional"),
        ({"image_size": 60}, "image_size=60; expected a multiple of 16"),
        ({"latent_dim": 0}, "latent_dim=0; expected 'auto' or a whole number"),
        ({"epochs": 1.5}, r"epochs=1\.5; expected a whole number"),
        ({"alpha": 1}, "alpha=1; expected a false-positive rate"),
        ({"resume": True}, "resume=True without out"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FitOptions(**options)
    with pytest.raises(ValueError, match=message):
        entropix.fit(np.zeros((100, 16, 16)), **options)


def test_options_stay_as_they_are() -> None:
    with pytest.raises(FrozenInstanceError):
        FitOptions().seed = 1  # type: ignore[misc]
    with pytest.raises(TypeError, match="unexpected keyword argument 'epoch'"):
        entropix.fit(np.zeros((100, 16, 16)), epoch=3)  # type: ignore[call-arg]


def test_selection_reaches_the_reading(tmp_path: Any) -> None:
    """`select` and `cache` of `fit` are those of `entropix.data.read`."""
    import nibabel

    rng = np.random.default_rng(0)
    for i in range(6):
        volume = rng.integers(1, 255, size=(16, 20, 16)).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / f"scan{i}.nii.gz")
    kept = tmp_path / "kept"
    detector = entropix.fit(
        tmp_path, latent_dim=2, epochs=1, image_size=16, select=Select(axis="coronal"), cache=kept, progress=False
    )
    assert detector.settings_["n_images"] == 6 * 20
    assert detector.settings_["select"]["axis"] == "coronal"
    assert any(kept.iterdir())


@pytest.mark.parametrize(
    ("keywords", "hint"),
    [
        ({"labels": [0, 1]}, "'labels'; a fit needs no labels: give it normal inputs alone"),
        ({"y": [0, 1]}, "'y'; a fit needs no labels"),
        ({"contamination": 0.1}, "alpha= is the false-positive rate"),
        ({"epoch": 3}, "unexpected keyword argument 'epoch'$"),
    ],
)
def test_what_other_libraries_ask_for_gets_a_hint(keywords: dict[str, Any], hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        entropix.fit(np.zeros((90, 16, 16)), **keywords)
    with pytest.raises(TypeError, match=rf"^EntropixDetector\(\) .*{hint}"):
        entropix.EntropixDetector(**keywords)
