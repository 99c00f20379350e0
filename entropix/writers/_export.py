"""A fitted detector as one file for other runtimes: ONNX, or `torch.export` (`.pt2`).

The exported program is the detector's own code, traced by `torch.export`. The native operator is written out in
plain ones, so the file scores as the detector does.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from entropix._utils import as_path, check_new_file, install_hint, new_file
from entropix.data import Scaling
from entropix.detector import check_detector
from entropix.scoring import DEFAULT_SCORE, MAP, SCORES, Outputs

if TYPE_CHECKING:
    from entropix.detector import EntropixDetector

FORMATS = (".onnx", ".pt2")


def outputs() -> list[str]:
    """Return the names of what an exported model gives, in their order."""
    return [DEFAULT_SCORE, "p_value", *_others(), "heatmap", "reconstruction"]


def _others() -> list[str]:
    return [name for name in SCORES if name != DEFAULT_SCORE]


class Scoring(nn.Module):
    """A module from images to everything that a detector says about them.

    Takes images (n, c, s, s) float32 as `detector.read(...).pixels` has them: resized, and on [0, 1] or, if the
    detector was fitted to raw values, raw. Returns what `outputs` names: the default score (n,), its conformal
    p-value (n,), the other scores (n,), the heat map (n, s, s) in nats per pixel, the reconstruction (n, c, s, s) on
    [0, 1]. All are NaN for images on another scale, which the detector refuses.
    """

    known: Tensor

    def __init__(self, detector: EntropixDetector) -> None:
        super().__init__()
        layout: Any = {"memory_format": torch.contiguous_format}  # files have this
        assert detector.network_ is not None
        self.model = copy.deepcopy(detector.model_).to(**layout)
        self.network = copy.deepcopy(detector.network_).to(**layout)
        self.detector = (detector,)  # not a submodule: its models of the score become constants
        self.register_buffer("known", detector.calibration_[DEFAULT_SCORE].to(detector.device_))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        (detector,) = self.detector
        scaling = Scaling(detector.value_range_)
        unknown = torch.where(scaling.refuses(images), torch.nan, 0.0)
        images = scaling(images)
        seen = Outputs.of(images * 2 - 1, self.model, self.network)
        terms = detector.terms(seen)
        above = (self.known >= terms[DEFAULT_SCORE][:, None]).sum(1)
        p = (1 + above) / (len(self.known) + 1)
        others = (terms[name] for name in _others())
        given = (terms[DEFAULT_SCORE], p.float(), *others, terms[MAP], (seen.x_hat + 1) / 2)
        return tuple(values + unknown for values in given)


def export(detector: EntropixDetector, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a detector of images to one file for other runtimes, and return the path.

    The exported model takes images (n, c, s, s) float32 as `detector.read(...).pixels` has them, for any n. It returns
    the default score (n,), its conformal p-value (n,), the other scores (n,), the heat map (n, s, s) in nats per pixel,
    and the reconstruction (n, c, s, s) on [0, 1]; NaN where the detector refuses images, as they are on another scale
    than those of the fit. Facts about the detector are in the file's metadata (`.pt2`:
    `entropix.json`).

    Args:
        detector: fitted to images.
        path: an `.onnx` or `.pt2` file.
        overwrite: replace `path`.

    Raises:
        ValueError: another suffix; a detector of vectors.
        ModuleNotFoundError: ONNX without the extra `export`.
        FileExistsError: `path` exists.
    """
    path = as_path(path, "path")
    check_detector(detector)
    if path.suffix not in FORMATS:
        raise ValueError(f"{path}: expected a name that ends in {' or '.join(FORMATS)}")
    if detector.standard_ is not None:
        raise ValueError("this detector was fitted to flat feature vectors; only those of images are exported")
    check_new_file(path, overwrite)
    if path.suffix == ".onnx" and find_spec("onnxscript") is None:
        raise ModuleNotFoundError(f"ONNX needs onnx and onnxscript: {install_hint('export')}")
    with _quiet():
        program = _trace(detector)
    facts = {
        "entropix": detector.settings_["entropix"],
        "latent_dim": detector.latent_dim_,
        "value_range": detector.value_range_,
        "alpha": detector.alpha,
        "anomalous_above": -detector.offset_,
    }
    content = _pt2(program, facts) if path.suffix == ".pt2" else _onnx(program, facts)
    with new_file(path) as partial:
        partial.write_bytes(content)
    return path


def _trace(detector: EntropixDetector) -> torch.export.ExportedProgram:
    model = detector.model_
    example = torch.rand(2, model.channels, model.image_size, model.image_size, device=detector.device_)
    with torch.no_grad():
        n = torch.export.Dim("n", min=1)
        program = torch.export.export(Scoring(detector).eval(), (example,), dynamic_shapes=({0: n},))
        plain: dict[Any, Callable[..., Any]] = {
            torch.ops.entropix.reconstruction_error.default: _reconstruction_error,
            torch.ops.aten.hypot.default: lambda x, y: (x * x + y * y).sqrt(),  # ONNX has none
        }
        program = program.run_decompositions(torch.export.default_decompositions() | plain)
    for name, value in program.constants.items():
        if isinstance(value, Tensor):
            program.constants[name] = value.contiguous()  # strided ones are saved with a warning
    return program


def _pt2(program: torch.export.ExportedProgram, facts: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={"entropix.json": json.dumps(facts)})
    return buffer.getvalue()


def _onnx(program: torch.export.ExportedProgram, facts: dict[str, Any]) -> bytes:
    with _quiet():
        onnx = torch.onnx.export(program, dynamo=True, input_names=["images"], output_names=outputs(), verbose=False)
    assert onnx is not None
    onnx.model.metadata_props.update({name: json.dumps(value) for name, value in facts.items()})
    return onnx.model_proto.SerializeToString()


@contextmanager
def _quiet() -> Iterator[None]:
    """A block in which torch's exporter does not warn of itself: its own deprecated calls, operators of torchvision."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def _reconstruction_error(
    x: Tensor, x_hat: Tensor, weight: Tensor | None, mask: Tensor | None, map: bool
) -> tuple[Tensor, Tensor]:
    """`entropix.ops.reconstruction_error` in plain operators."""
    if mask is not None:
        raise NotImplementedError("export knows no masks")
    energy = (x - x_hat).square() * (1 if weight is None else weight)
    return energy.flatten(1).mean(1), energy if map else energy.new_empty(0)
