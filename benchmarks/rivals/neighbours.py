"""k nearest neighbours on the CPU as other libraries find them, each on one thread.

A rival is a function of points (n, d) float32 and k that builds its index and finds the k nearest of every point,
itself among them where the library has no other way. Those that are not installed are left out.
"""

import contextlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch

Search = Callable[[np.ndarray, int], object]
PYKDTREE_MOST = 127  # coordinates
PACKAGES = ("scipy", "scikit-learn", "scikit-learn-intelex", "faiss-cpu", "pykdtree", "pynanoflann")


def rivals(d: int) -> dict[str, Search]:
    """Return the searches by name that take points of d coordinates."""
    from scipy.spatial import cKDTree
    from sklearn.neighbors import NearestNeighbors

    def cdist(x: np.ndarray, k: int) -> None:
        points = torch.from_numpy(x)
        for part in points.split(2048):
            torch.cdist(part, points).topk(k + 1, largest=False)

    def like_sklearn(made: Callable[..., NearestNeighbors], algorithm: str) -> Search:
        return lambda x, k: made(n_neighbors=k, algorithm=algorithm, n_jobs=1).fit(x).kneighbors()

    found: dict[str, Search] = {
        "scipy cKDTree": lambda x, k: cKDTree(x).query(x, k + 1),
        "sklearn kd_tree": like_sklearn(NearestNeighbors, "kd_tree"),
        "sklearn brute": like_sklearn(NearestNeighbors, "brute"),
        "torch cdist+topk": cdist,
    }
    with contextlib.suppress(ImportError):
        from sklearnex.neighbors import NearestNeighbors as OneDal

        found["oneDAL brute"] = like_sklearn(OneDal, "brute")
        found["oneDAL kd_tree"] = like_sklearn(OneDal, "kd_tree")
    with contextlib.suppress(ImportError):
        import faiss

        faiss.omp_set_num_threads(1)

        def flat(x: np.ndarray, k: int) -> None:
            index = faiss.IndexFlatL2(x.shape[1])
            index.add(x)
            index.search(x, k + 1)

        found["faiss IndexFlatL2"] = flat
    with contextlib.suppress(ImportError):
        from pykdtree.kdtree import KDTree

        if d <= PYKDTREE_MOST:
            found["pykdtree"] = lambda x, k: KDTree(x).query(x, k + 1)
    with contextlib.suppress(ImportError):
        import pynanoflann

        def nanoflann(x: np.ndarray, k: int) -> None:
            tree = pynanoflann.KDTree(n_neighbors=k + 1)
            tree.fit(x)
            tree.kneighbors(x)

        found["pynanoflann"] = nanoflann
    return found


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
