"""Fits, scores and estimates in threads are those of the same calls alone, whatever else draws random numbers."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

import entropix
from entropix.detector import deterministic

pytestmark = pytest.mark.filterwarnings("ignore::entropix.exceptions.EntropixWarning")


@contextmanager
def drawing() -> Iterator[None]:
    """A block beside which another thread draws from the generator of the process, and seeds it."""
    over = threading.Event()

    def draw() -> None:
        while not over.wait(0.001):  # a pause: without one, every step of the block waits for the interpreter's lock
            torch.manual_seed(9)
            torch.rand(100)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def in_threads(call: Callable[[int], Any], n: int, workers: int = 4) -> None:
    alone = [call(i) for i in range(n)]
    with drawing(), ThreadPoolExecutor(workers) as pool:
        for i, found in enumerate(pool.map(call, [*range(n)] * 3)):
            np.testing.assert_array_equal(found, alone[i % n])


def test_fits_of_vectors(rng: np.random.Generator) -> None:
    x = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 5)) + 0.1 * rng.standard_normal((60, 5))
    in_threads(lambda seed: entropix.EntropixDetector(2, epochs=1, seed=seed).fit(x).anomaly_score(x), 5, workers=8)


@pytest.mark.parametrize("strategy", ["select", "prune", "constrain"])
@pytest.mark.usefixtures("few_candidates")
def test_fits_of_images(strategy: Any, images: np.ndarray) -> None:
    def fit(seed: int) -> np.ndarray:
        detector = entropix.fit(images, strategy=strategy, image_size=16, epochs=1, seed=seed, progress=False)
        return detector.anomaly_score(images[:5])

    in_threads(fit, 1, workers=2)


def test_scores_of_one_detector(images: np.ndarray) -> None:
    detector = entropix.fit(images, latent_dim=2, image_size=16, epochs=1, progress=False)
    in_threads(lambda i: detector.anomaly_score(images[i : i + 20]), 5)
    in_threads(lambda i: detector.heatmap(images[i : i + 20]), 3)


def test_estimates(rng: np.random.Generator) -> None:
    x = rng.standard_normal((500, 6))
    in_threads(lambda i: float(entropix.entropy(x[:, : i + 2])), 3)
    in_threads(lambda i: float(entropix.mutual_information(x[:, : i + 1], x[:, 5:])), 3)


def test_settings_of_cudnn_hold_until_the_last_fit_ends() -> None:
    before = torch.backends.cudnn.deterministic
    first, second = deterministic(), deterministic()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.backends.cudnn.deterministic
    second.__exit__(None, None, None)
    assert torch.backends.cudnn.deterministic == before
