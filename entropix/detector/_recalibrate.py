"""A detector for another site: what depends on the scanner is learnt anew from its normal images, no network is.

Renewed are the levels of the residual (`ResidualModel.fit`: position and exposure, the usual residual at every place,
the units), the unit of the latent term, and the scores that p-values go by. The held-out images of the fit told them
before, and the site's images take their place, cross-fitted in the same way, patients and volumes undivided. That more
than thresholds is renewed was decided without labels, by how well foreign content in normal images of made-up scanners
is told from these images (benchmarks/new_site.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from entropix.data import ImageSet, ImageView, check_vectors
from entropix.detector._fitted import Fitted
from entropix.detector._learn import model_scores
from entropix.detector._scorer import Scorer
from entropix.exceptions import DataError
from entropix.scoring import (
    MAP,
    PEAK,
    Calibration,
    Shift,
    measure_shift,
    one_of_each,
)
from entropix.training import FEWEST_HELD_OUT, MOST_HELD_OUT, Slices, image_duplicates, without_constant


@dataclass(frozen=True)
class Site:
    """Normal images of a site, as a fit has its held-out ones.

    Attributes:
        x: distinct images (n, ...) in the units of the model.
        groups: patient, volume or name of each.
        volumes: volume of each, "" for none.
        copies: the copies among slices of their volumes.
        independent: one image or row of each group, to be scored.
        source: description for people.
    """

    x: Tensor
    groups: list[str]
    volumes: list[str]
    copies: Slices | None
    independent: Any
    source: str


def recalibrated(fitted: Fitted, site: Site, shift: Shift) -> Fitted:
    """Return what is learnt of a site.

    Args:
        fitted: of the fit.
        site: normal images.
        shift: how far they are from those of the fit.
    """
    new = model_scores(
        fitted.model,
        fitted.network,
        type(fitted.residual_model),
        fitted.latent_model,
        held_out=site.x,
        groups=site.groups,
        volumes=site.volumes,
        copies=site.copies,
    )
    told = {"data": site.source, "n_images": len(site.x), "shift": asdict(shift)}
    return replace(
        fitted,
        residual_model=new.residual_model,
        latent_model=new.latent_model,
        calibration=new.calibration,
        settings=fitted.settings | {"n_held_out": len(site.x), "recalibrated": told},
    )


def images_of_site(detector: Scorer, data: ImageSet, skip_unreadable: bool, seed: int) -> Site:
    """Return a site's images, at most 2,000 distinct ones, of as many patients or volumes as these allow.

    Raises:
        DataError: constant images, unless skipped, or too few.
    """
    data = without_constant(data, skip_unreadable)
    chosen = _whole_groups(data.groups, seed)
    data = data if len(chosen) == len(data) else data.subset(chosen)
    view = ImageView.from_set(data, detector.value_range_, detector.device_)
    distinct = np.sort(image_duplicates(view).keep.cpu().numpy())
    groups = [data.groups[i] for i in distinct]
    _check_enough(data.source, len(distinct), len(set(groups)))
    patients = set(groups)
    copies = [i for i in np.setdiff1d(np.arange(len(data)), distinct).tolist() if data.groups[i] in patients]
    return Site(
        view.subset(distinct)[:],
        groups,
        [data.origins[i].volume for i in distinct],
        Slices.of(data, view, np.array(copies, np.int64)),
        data.subset(distinct[one_of_each(groups, seed)]),
        data.source,
    )


def rows_of_site(detector: Scorer, rows: Any, seed: int) -> Site:
    """Return a site's vectors, at most 2,000 distinct ones.

    Raises:
        ValueError: unsuitable vectors, or too few.
    """
    assert detector.standard_ is not None
    given = check_vectors(detector, rows, reset=False)
    given = given[_whole_groups([str(i) for i in range(len(given))], seed)]
    x = detector.standard_.apply(given).to(detector.device_)
    distinct = np.sort(image_duplicates(x).keep.cpu().numpy())
    source = f"{len(given)} vectors"
    _check_enough(source, len(distinct), len(distinct))
    groups = [str(i) for i in distinct]
    return Site(x[distinct], groups, [""] * len(groups), None, given[distinct].numpy(), source)


def shift_of(detector: Scorer, known: Calibration, site: Site, alpha: float) -> Shift:
    """Compare the site's images with the held-out ones of the fit, by all calibrated scores."""
    found = detector.explain(site.independent, maps=True)
    found[PEAK] = found.pop(MAP).reshape(len(site.independent), -1).max(1)
    return measure_shift(known, {name: found[name] for name in known.held_out if name in found}, alpha)


def _whole_groups(groups: Sequence[str], seed: int) -> np.ndarray:
    """Return the indices of random whole groups of at most 2,000 images together; of one that is larger, all."""
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    room = np.cumsum(np.bincount(number, minlength=len(names))[order]) <= MOST_HELD_OUT
    room[:1] = True
    return np.flatnonzero(np.isin(number, order[room]))


def _check_enough(source: str, n: int, groups: int) -> None:
    if n < FEWEST_HELD_OUT or groups < 2:
        raise DataError(
            f"{source}: {n} distinct images of {groups} patients or volumes; a recalibration needs at least "
            f"{FEWEST_HELD_OUT} normal images of two: add more"
        )
