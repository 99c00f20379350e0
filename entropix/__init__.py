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

from entropix import data, datasets, estimators, models, ops
from entropix.detector import EntropixDetector, load
from entropix.estimators import (
    conditional_mutual_information,
    entropy,
    intrinsic_dimension,
    kl_divergence,
    mutual_information,
    total_correlation,
)
from entropix.fitting import fit
from entropix.sweeping import Sweep, sweep

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
    "sweep",
    "total_correlation",
]
