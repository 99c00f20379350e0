"""entropix: autoencoder anomaly detection whose latent dimension follows the entropy of normal images.

detector = entropix.fit("path/to/normal/images")
detector.latent_dim_, detector.entropy_
detector.anomaly_score(images)        # nats, higher is more anomalous
"""

import os

# Idle OpenMP threads sleep instead of spinning: where other processes want the cores too, spinning makes a training
# several times slower. Only where nobody decided otherwise; without effect if torch was imported before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"

from typing import TYPE_CHECKING, Any

from entropix import data, datasets, estimators, models, ops
from entropix.estimators import (
    conditional_mutual_information,
    entropy,
    intrinsic_dimension,
    kl_divergence,
    mutual_information,
    total_correlation,
)

if TYPE_CHECKING:
    from entropix.detector import EntropixDetector
    from entropix.front import fit, load
    from entropix.strategies.prune import prune
    from entropix.sweep_result import Sweep
    from entropix.sweeping import sweep

# Loaded when first used: they stand on scikit-learn, which takes longer to import than all of entropix.
_LAZY = {
    "EntropixDetector": "detector",
    "Sweep": "sweep_result",
    "fit": "front",
    "load": "front",
    "prune": "strategies",
    "sweep": "sweeping",
}

__all__ = [
    "EntropixDetector",
    "Sweep",
    "__version__",
    "conditional_mutual_information",
    "data",
    "datasets",
    "entropy",
    "estimators",
    "fit",
    "intrinsic_dimension",
    "kl_divergence",
    "load",
    "models",
    "mutual_information",
    "ops",
    "prune",
    "sweep",
    "total_correlation",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'entropix' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"entropix.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return __all__
