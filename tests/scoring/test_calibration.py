"""False-positive rates that hold, p-values, and regions above a calibrated level."""

import numpy as np
import pytest
import torch

import entropix
from entropix import EntropixDetector
from entropix.detector._learn import model_scores
from entropix.scoring import ActivationModel, Outputs, ResidualModel
from entropix.scoring._calibration import Calibration
from entropix.scoring._regions import find_regions
from entropix.training._training_data import FitWarning

ALPHAS = (0.01, 0.05, 0.1)


@pytest.fixture(scope="module")
def detector() -> EntropixDetector:
    normal = entropix.datasets.phantoms(500, 2, image_size=32).images
    return entropix.fit(normal, latent_dim=4, image_size=32, epochs=15, progress=False)


def interval(alpha: float, held_out: list[int], n_test: int) -> tuple[float, float]:
    """99 % interval of the mean false-positive rate over fits with so many held-out images, n_test new ones each.

    The rate of one fit is a draw of Beta(rank, n + 1 - rank), not alpha: beta-binomial counts (Vovk 2012). All images
    are independent draws, within a fit and between fits.
    """
    rng = np.random.default_rng(0)
    ranks = [int(alpha * (n + 1) + 1e-9) for n in held_out]
    rates = [
        rng.beta(rank, n + 1 - rank, 20_000) if rank else np.zeros(20_000)
        for rank, n in zip(ranks, held_out, strict=True)
    ]
    mean = np.mean([rng.binomial(n_test, rate) / n_test for rate in rates], axis=0)
    return tuple(np.quantile(mean, (0.005, 0.995)))


def test_rates_hold_for_one_autoencoder_and_many_held_out_sets(detector: EntropixDetector) -> None:
    draws, n, n_test = 8, 120, 200
    pool = torch.from_numpy(entropix.datasets.phantoms(300 + draws * (n + n_test), 2, image_size=32, seed=5).images)
    train, rest = 2 * pool[:300] - 1, pool[300:]
    model, network = detector.model_, detector.network_

    latent = ActivationModel.fit(Outputs.of_all(train, model, network).activations)
    found = []
    # no image is in two draws, so that their rates are as independent as the interval takes them for
    for part in rest.split(n + n_test):
        fitted = model_scores(
            model,
            network,
            ResidualModel,
            latent,
            held_out=2 * part[:n] - 1,
            groups=[str(i) for i in range(n)],
        )
        p = EntropixDetector.from_fitted(fitted).p_value(part[n:].numpy())
        found.append([(p <= alpha).mean() for alpha in ALPHAS])
    assert len(found) == draws
    for alpha, rate in zip(ALPHAS, np.mean(found, axis=0), strict=True):
        low, high = interval(alpha, [n] * draws, n_test)
        assert low <= rate <= high, (alpha, rate)


@pytest.mark.slow
def test_rates_hold_over_whole_fits() -> None:
    found, held_out, n_test = [], [], 300
    for seed in range(24):
        normal = entropix.datasets.phantoms(600, 3, image_size=32, seed=100 + seed).images
        test = entropix.datasets.phantoms(n_test, 3, image_size=32, seed=1000 + seed).images
        one = entropix.fit(normal, latent_dim=4, image_size=32, epochs=8, seed=seed, progress=False)
        held_out.append(len(one.calibration_))
        scores = one.anomaly_score(test)
        p = one.calibration_.p_value(scores)
        peaks = one.surprise_maps(test).max((1, 2))
        found.append(
            [[(values <= alpha).mean() for alpha in ALPHAS] for values in (p, one.calibration_.p_value(peaks, "peak"))]
        )
    for kind, rates in zip(("score", "peak"), np.mean(found, axis=0), strict=True):
        for alpha, rate in zip(ALPHAS, rates, strict=True):
            low, high = interval(alpha, held_out, n_test)
            print(kind, alpha, rate, (low, high))
            assert low <= rate <= high, (kind, alpha, rate, (low, high))


def test_p_value_threshold_and_predict_agree(detector: EntropixDetector) -> None:
    test = entropix.datasets.phantoms(100, 2, image_size=32, lesions=0.5, seed=3)
    p = detector.p_value(test.images)
    assert p.min() >= 1 / (len(detector.calibration_) + 1)
    assert p.max() <= 1
    for alpha in (0.05, 0.1, 0.3):
        np.testing.assert_array_equal(detector.predict(test.images, alpha=alpha), np.where(p <= alpha, -1, 1))
    np.testing.assert_array_equal(detector.predict(test.images), detector.predict(test.images, alpha=0.05))
    order = np.argsort(detector.anomaly_score(test.images))
    assert (np.diff(p[order]) <= 0).all()


def test_p_values_count() -> None:
    known = Calibration({"surprisal": torch.tensor([1.0, 2.0, 2.0, 4.0])})
    np.testing.assert_allclose(known.p_value(np.array([0.0, 2.0, 3.0, 5.0])), [1, 0.8, 0.4, 0.2])
    assert known.threshold(0.2) == 4
    assert known.threshold(0.4) == 2
    assert known.threshold(0.8) == 1
    with pytest.raises(ValueError, match=r"no p-value is below 1 / 5 = 0\.2; fit on at least 45 distinct images"):
        known.threshold(0.1)
    for alpha in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="expected a false-positive rate between 0 and 1"):
            known.threshold(alpha)


def test_too_few_images_for_alpha() -> None:
    normal = entropix.datasets.phantoms(100, 2, image_size=32).images
    detector = EntropixDetector(2, image_size=32, epochs=1, alpha=0.01)
    with pytest.warns(FitWarning, match=r"20 held-out normal images tell false-positive rates from 0\.0476 on"):
        detector.fit(normal)
    assert detector.offset_ == -detector.calibration_["surprisal"].max()
    with pytest.raises(ValueError, match=r"alpha=0\.01: with 20 held-out"):
        detector.predict(normal, alpha=0.01)


def test_regions_of_a_known_map() -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[1:3, 1:4] = 2
    heat[3, 4] = 3  # touches the corner of the first
    heat[6, 6] = 9
    first, second = find_regions(heat, 1.0, (16, 32))
    assert (first.top, first.left, first.bottom, first.right) == (12, 24, 14, 28)
    assert (first.area, first.peak, first.nats) == (8, 9, 9)
    assert (second.top, second.left, second.bottom, second.right) == (2, 4, 8, 20)
    assert (second.area, second.peak, second.nats) == (56, 3, 15)
    assert find_regions(heat, 9.0, (8, 8)) == []


def test_regions_lie_on_the_lesion(detector: EntropixDetector) -> None:
    images = entropix.datasets.phantoms(100, 2, image_size=32, seed=4).images
    assert np.mean([len(found) > 0 for found in detector.regions(images, alpha=0.1)]) < 0.25
    images[:, :, 12:18, 10:16] = 1
    best = [found[0] for found in detector.regions(images, alpha=0.1) if found]
    assert len(best) > 80
    inside = [r.top < 18 and r.bottom > 12 and r.left < 16 and r.right > 10 for r in best]
    assert np.mean(inside) > 0.9
