"""One training of a sweep, scored on labelled test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from entropix._utils import in_batches, plain
from entropix.baseline._result import SweepRow
from entropix.data import DataError, ImageSet, ImageView, MissingSplitError, read
from entropix.detector import (
    EntropixDetector,
    Fitted,
    separation,
)
from entropix.ops import reconstruction_error
from entropix.scoring import Located, locate
from entropix.training import TrainingData


def scored(
    fitted: Fitted,
    data: TrainingData,
    d: int,
    seed: int,
    about: dict[str, Any],
    *,
    tests: ImageSet | None,
    parameters: dict[str, Any],
) -> tuple[EntropixDetector, SweepRow, Located]:
    fitted.settings |= about | {"latent_dim": d}
    detector = EntropixDetector.from_fitted(fitted, latent_dim=d, seed=seed, **parameters)
    located = Located([], {}, []) if tests is None else locate(tests, partial(_squared_errors, detector))
    return detector, _row(detector, d, seed, data, tests, located), located


def _squared_errors(detector: EntropixDetector, images: ImageSet) -> np.ndarray:
    """Return maps (n, s, s) whose means are the paper's score."""

    def errors(x: Tensor) -> Tensor:
        return reconstruction_error(x, detector.model_(x), map=True)[1].mean(1)

    return in_batches(errors, ImageView.from_set(images, detector.value_range_, detector.device_)).cpu().numpy()


def _row(
    detector: EntropixDetector, d: int, seed: int, data: TrainingData, tests: ImageSet | None, located: Located
) -> SweepRow:
    def error(images: Tensor | ImageView) -> float:
        return in_batches(lambda x: reconstruction_error(x, detector.model_(x)), images).mean().item()

    train, held_out = error(data.train), error(data.held_out)
    if tests is None:
        return SweepRow(d, seed, None, None, None, None, train, held_out, None, None)
    errors = detector.anomaly_score(tests, "residual")
    separated = separation(detector, tests, tests.labels, {"residual": errors})
    metrics, without = (of.get("residual", {}) for of in (separated.metrics, separated.without_copies))
    normal, abnormal = (errors[tests.labels == label] for label in (0, 1))
    return SweepRow(
        d,
        seed,
        metrics.get("auc"),
        metrics.get("ap"),
        separated.copies if metrics else None,
        without.get("auc"),
        train,
        held_out,
        float(normal.mean()) if len(normal) else None,
        float(abnormal.mean()) if len(abnormal) else None,
        located.overall.get("ap"),
        located.overall.get("best_dice"),
        located.overall.get("aupro"),
    )


def test_images(
    train: Any, test: Any, labels: Sequence[int] | np.ndarray | None, options: dict[str, Any]
) -> ImageSet | None:
    if test is None and labels is not None:
        raise DataError("labels without test images; give both")
    if test is None:
        try:
            tests = read(train, split="test", **options)
        except MissingSplitError:
            return None
        return tests if (tests.labels == 1).any() or tests.masks else None
    tests = read(test, split="test", **options)
    if labels is None:
        return tests
    known = np.asarray(plain(labels))
    if known.shape != (len(tests),) or not np.isin(known, (0, 1)).all():
        raise DataError(
            f"labels of shape {known.shape} with values {np.unique(known)[:5]}; expected {len(tests)} of 0 (normal) "
            "and 1 (abnormal)"
        )
    return replace(tests, labels=known.astype(np.int64))
