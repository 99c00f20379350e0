"""A fitted detector for people: the report, one self-contained HTML page about what it found, and the model card."""

from entropix.report._card import model_card
from entropix.report._page import write_report

__all__ = ["model_card", "write_report"]
