"""The report: one self-contained HTML page about a fitted detector and what it found."""

from entropix.report._page import write_report

__all__ = ["write_report"]
