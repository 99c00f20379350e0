"""Simulated data with known answers: `phantoms` (known number of factors) and `implant_lesions`."""

from entropix.datasets._lesions import KINDS, implant_lesions
from entropix.datasets._phantoms import MAX_FACTORS, Phantoms, phantoms

__all__ = ["KINDS", "MAX_FACTORS", "Phantoms", "implant_lesions", "phantoms"]
