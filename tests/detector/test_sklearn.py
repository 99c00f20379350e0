"""`EntropixDetector` as an estimator of scikit-learn, on vectors and on images."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_outlier_detector
from sklearn.datasets import make_blobs
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import entropix
from entropix import EntropixDetector
from entropix.exceptions import FitWarning


# few rows: not enough for alpha, and few for their intrinsic dimension
@pytest.mark.filterwarnings("ignore::entropix.exceptions.FitWarning", "ignore::entropix.exceptions.EstimatorWarning")
@parametrize_with_checks([EntropixDetector(epochs=5)])
def test_scikit_learn(estimator: EntropixDetector, check: Any) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore::entropix.exceptions.EstimatorWarning", "ignore::entropix.exceptions.FitWarning")
def test_few_rows_are_warned_of(rows: np.ndarray) -> None:
    """From 10 on there is a detector, as scikit-learn's checks want; below 20 nobody can miss that it means little."""
    with pytest.warns(FitWarning, match="10 rows are too few .*: 8 distinct ones to train on and 2 to calibrate with"):
        detector = EntropixDetector(epochs=2).fit(rows[:10])
    assert set(detector.predict(rows[:10])) <= {-1, 1}
    with pytest.raises(ValueError, match=r"9 sample\(s\); at least 10 are needed"):
        EntropixDetector(epochs=2).fit(rows[:9])
    with pytest.raises(ValueError, match="30 samples leave 0 distinct ones to train on; 6 are needed"):
        EntropixDetector(epochs=2).fit(np.repeat(rows[:1], 30, axis=0))


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """(400, 6) vectors that two numbers generate."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((400, 2))
    return np.tanh(z @ rng.standard_normal((2, 6))) * 10 + 100 + 0.05 * rng.standard_normal((400, 6))


def test_vectors(rows: np.ndarray, tmp_path: Any) -> None:
    detector = entropix.fit(rows[:300], epochs=60, progress=False)
    assert detector.latent_dim_ == 2
    assert "intrinsic dimension" in detector.reason_
    foreign = np.random.default_rng(1).permuted(rows[300:], axis=0)  # the same columns, no longer together
    labels = np.repeat([0, 1], 100)
    x = np.concatenate([rows[300:], foreign])
    assert roc_auc_score(labels, detector.anomaly_score(x)) > 0.9
    assert detector.heatmap(x).shape == (200, 6)
    np.testing.assert_allclose(detector.heatmap(x).sum(1), detector.explain(x)["conditional"])
    assert np.abs(detector.reconstruct(rows[300:]) - rows[300:]).mean() < 1
    assert (detector.predict(x)[:100] == 1).mean() > 0.85
    detector.save(tmp_path / "model")
    loaded = entropix.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.anomaly_score(x), detector.anomaly_score(x))
    assert loaded.get_params() == detector.get_params()
    with pytest.raises(ValueError, match="6 features"):
        loaded.predict(x[:, :5])
    with pytest.raises(ValueError, match="flat feature vectors"):
        loaded.regions(x)
    first, again = (entropix.fit(rows[:300], epochs=5, progress=False) for _ in range(2))
    np.testing.assert_array_equal(again.anomaly_score(x), first.anomaly_score(x))


def test_names_of_features_are_kept(rows: np.ndarray, tmp_path: Any) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rows, columns=list("abcdef"))
    detector = entropix.fit(table, epochs=1, progress=False, out=tmp_path / "m")
    for one in (detector, entropix.load(tmp_path / "m")):
        with pytest.raises(ValueError, match="feature names"):
            one.predict(table.rename(columns={"a": "z"}))


def test_images_in_a_pipeline_and_a_search() -> None:
    normal = entropix.datasets.phantoms(160, 2, image_size=16).images
    test = entropix.datasets.phantoms(60, 2, image_size=16, lesions=0.5, seed=1)
    detector = EntropixDetector(2, image_size=16, epochs=1, alpha=0.2)
    assert is_outlier_detector(detector)
    pipeline = make_pipeline(FunctionTransformer(np.flip, kw_args={"axis": 3}), clone(detector)).fit(normal)
    assert set(pipeline.predict(test.images)) <= {-1, 1}
    # the same images, flipped beforehand: nothing but the pipeline's own step in between
    flipped = clone(detector).fit(np.flip(normal, axis=3))
    np.testing.assert_array_equal(flipped.score_samples(np.flip(test.images, 3)), pipeline.score_samples(test.images))

    search = GridSearchCV(detector, {"latent_dim": [1, 4]}, cv=2, scoring=mean_error).fit(normal)
    assert search.best_params_["latent_dim"] in (1, 4)
    assert search.best_estimator_.latent_dim_ == search.best_params_["latent_dim"]


def mean_error(detector: EntropixDetector, images: np.ndarray, y: Any = None) -> float:
    return -float(detector.anomaly_score(images, "residual").mean())


def test_vectors_in_a_pipeline() -> None:
    x = make_blobs(120, 4, centers=2, random_state=0)[0]
    pipeline = make_pipeline(StandardScaler(), EntropixDetector(2, epochs=3, alpha=0.1))
    assert set(pipeline.fit_predict(x)) <= {-1, 1}


def test_signs_offset_and_copies() -> None:
    normal = entropix.datasets.phantoms(120, 2, image_size=16).images
    detector = EntropixDetector(2, image_size=16, epochs=2)
    labels = detector.fit_predict(normal)
    scores = detector.score_samples(normal)
    np.testing.assert_allclose(scores, -detector.anomaly_score(normal))
    np.testing.assert_allclose(detector.decision_function(normal), scores - detector.offset_)
    np.testing.assert_array_equal(labels == 1, detector.decision_function(normal) >= 0)
    copy = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(copy.score_samples(normal), scores)
    fresh = clone(detector)
    assert fresh.get_params() == detector.get_params()
    assert not hasattr(fresh, "model_")
    with pytest.raises(ValueError, match="not fitted"):
        fresh.predict(normal)


def test_bad_parameters_are_refused_by_fit() -> None:
    normal = entropix.datasets.phantoms(100, 2, image_size=32).images
    for parameters, message in (
        ({"latent_dim": "big"}, "latent_dim='big'"),
        ({"alpha": 2}, "alpha=2"),
        ({"epochs": 0}, "epochs=0"),
        ({"image_size": 30}, "image_size=30"),
        ({"device": "tpu"}, "device='tpu'"),
    ):
        with pytest.raises(ValueError, match=message):
            EntropixDetector(**parameters).fit(normal)


def test_one_feature() -> None:
    """Its code is no shorter than it is, and the density of the codes tells what is far."""
    detector = EntropixDetector(epochs=5).fit(np.random.default_rng(0).standard_normal((100, 1)))
    assert detector.latent_dim_ == 1
    assert list(detector.predict(np.array([[0.0], [9.0], [-9.0]]))) == [1, -1, -1]
