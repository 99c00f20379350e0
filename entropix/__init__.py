"""entropix: autoencoder anomaly detection whose latent dimension follows the entropy of normal images.

detector = entropix.fit("path/to/normal/images")
detector.latent_dim_, detector.entropy_
detector.anomaly_score(images)        # nats, higher is more anomalous
"""

import os

# Idle OpenMP threads sleep instead of spinning: where other processes want the cores too, spinning makes a training
# several times slower. Only where nobody decided otherwise; without effect if torch was imported before.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from typing import TYPE_CHECKING, Any

from entropix import exceptions
from entropix._version import __version__

if TYPE_CHECKING:
    from entropix import (
        baseline,
        data,
        datasets,
        detector,
        distributed,
        estimators,
        models,
        node,
        ops,
        options,
        plots,
        report,
        scoring,
        selection,
        strategies,
        training,
        writers,
    )
    from entropix.baseline import Sweep, sweep
    from entropix.detector import EntropixDetector, fit, inspect, load
    from entropix.estimators import (
        conditional_mutual_information,
        entropy,
        intrinsic_dimension,
        kl_divergence,
        mutual_information,
        total_correlation,
    )
    from entropix.strategies import prune
    from entropix.writers import export

# Loaded when first used: they stand on torch and scikit-learn, which take seconds to import.
_LAZY_NAMES = {
    "EntropixDetector": "detector",
    "Sweep": "baseline",
    "conditional_mutual_information": "estimators",
    "entropy": "estimators",
    "export": "writers",
    "fit": "detector",
    "inspect": "detector",
    "intrinsic_dimension": "estimators",
    "kl_divergence": "estimators",
    "load": "detector",
    "mutual_information": "estimators",
    "prune": "strategies",
    "sweep": "baseline",
    "total_correlation": "estimators",
}
_LAZY_PACKAGES = (
    "baseline",
    "data",
    "datasets",
    "detector",
    "distributed",
    "estimators",
    "models",
    "node",
    "ops",
    "options",
    "plots",
    "report",
    "scoring",
    "selection",
    "strategies",
    "training",
    "writers",
)

__all__ = [
    "EntropixDetector",
    "Sweep",
    "__version__",
    "baseline",
    "conditional_mutual_information",
    "data",
    "datasets",
    "detector",
    "distributed",
    "entropy",
    "estimators",
    "exceptions",
    "export",
    "fit",
    "inspect",
    "intrinsic_dimension",
    "kl_divergence",
    "load",
    "models",
    "mutual_information",
    "node",
    "ops",
    "options",
    "plots",
    "prune",
    "report",
    "scoring",
    "selection",
    "strategies",
    "sweep",
    "total_correlation",
    "training",
    "writers",
]


if not TYPE_CHECKING:  # type checkers see the imports above, and say what is misspelt

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name in _LAZY_PACKAGES:
            return import_module(f"entropix.{name}")
        if name in _LAZY_NAMES:
            return getattr(import_module(f"entropix.{_LAZY_NAMES[name]}"), name)
        raise AttributeError(f"module 'entropix' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
