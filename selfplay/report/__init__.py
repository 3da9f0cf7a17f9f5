"""A run as one page: a file without scripts, that needs no network."""

from selfplay.report.gather import ReportData, gather_report_data
from selfplay.report.page import render_page

__all__ = ["ReportData", "gather_report_data", "render_page"]
