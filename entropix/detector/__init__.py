"""The detector: fitted to normal images or vectors, it scores, says where, decides, and goes to disk and back.

_fit                      `fit` and `load`, the way in.
_detector, _scorer        `EntropixDetector`, an outlier detector of scikit-learn.
_learn, _learn_vectors    what a fit does with images, and with vectors; _fitted is what it learns.
_recalibrate              what a fit learns anew from normal images of another site.
_circumstances            seeds, epochs, settings: what a fit depends on beside the images.
_storage                  model folders: _model_format has their versions, _parts what is made of their tensors.
_inspect, _inspection     what a data set holds, before any training.
_separation               how well scores separate labelled images, with and without copies of the fit's.
_watch                    progress of a running training: held-out error and entropy.
"""

from entropix.detector._circumstances import PAPER_PRESENTATIONS, default_epochs, deterministic, settings, to_resume
from entropix.detector._detector import EntropixDetector
from entropix.detector._fit import fit, load
from entropix.detector._fitted import Fitted
from entropix.detector._inspect import inspect
from entropix.detector._inspection import Inspection
from entropix.detector._learn import DIMS, finish, fit_fixed, learn_network, untrained
from entropix.detector._scorer import Scorer, check_detector
from entropix.detector._separation import Separation, separation

__all__ = [
    "DIMS",
    "PAPER_PRESENTATIONS",
    "EntropixDetector",
    "Fitted",
    "Inspection",
    "Scorer",
    "Separation",
    "check_detector",
    "default_epochs",
    "deterministic",
    "finish",
    "fit",
    "fit_fixed",
    "inspect",
    "learn_network",
    "load",
    "separation",
    "settings",
    "to_resume",
    "untrained",
]
