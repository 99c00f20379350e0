"""Files from a detector: score tables, volumes' scores, heat maps as PNG, NIfTI and DICOM, exported models."""

from entropix.scoring import aggregate
from entropix.writers._export import export
from entropix.writers._heatmaps import check_heatmaps, write_heatmaps
from entropix.writers._masks import write_located
from entropix.writers._scores import Scored, score, write_scores
from entropix.writers._tensorboard import TensorBoard
from entropix.writers._tracking import MLflow, WeightsAndBiases
from entropix.writers._volumes import ScoredVolume, Volume, volumes, write_volume_scores

__all__ = [
    "MLflow",
    "Scored",
    "ScoredVolume",
    "TensorBoard",
    "Volume",
    "WeightsAndBiases",
    "aggregate",
    "check_heatmaps",
    "export",
    "score",
    "volumes",
    "write_heatmaps",
    "write_located",
    "write_scores",
    "write_volume_scores",
]
