"""A run as one page: a file without scripts, that needs no network."""

from selfplay.report.gather import Findings, gather
from selfplay.report.page import page

__all__ = ["Findings", "gather", "page"]
